package local

import (
	"net"
	"os"
	"path/filepath"
	"strings"
)

// profileName is a file in Temporal's own format, from which other programs learn how to
// connect.
const profileName = "temporal.toml"

// ProfileDir returns the state directory whose server wrote a file of Temporal's format. It
// returns false for a file of the user's own, or none.
func ProfileDir(profile string) (string, bool) {
	if filepath.Base(profile) != profileName {
		return "", false
	}
	dir := filepath.Dir(profile)
	b, err := os.ReadFile(filepath.Join(dir, profileName))
	return dir, err == nil && strings.HasPrefix(string(b), profileHead)
}

// profileHead begins the file.
const profileHead = "# Written by sweep at each start of its Temporal server.\n"

// At reports whether an address, as a user may write it, is that of the server.
func (i Info) At(address string) bool {
	host, port, err := net.SplitHostPort(address)
	ownHost, ownPort, ownErr := net.SplitHostPort(i.HostPort)
	return err == nil && ownErr == nil && port == ownPort && (host == ownHost || strings.EqualFold(host, "localhost"))
}

//go:build !noserver

package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"go.temporal.io/sdk/contrib/envconfig"
)

// remoteHead begins the file in Options.ClientFiles. It differs from profileHead, because no state directory is beside
// that file: it is one of Temporal's format like any other.
const remoteHead = "# Written by sweep up at each start, for programs on other machines.\n"

// writeProfile writes the file from which other programs learn how to connect to a server.
// It stays when the server stops: the next one writes it again.
func writeProfile(info Info) error {
	return replaceProfile(info.dir, profileHead, info, func(name string) string { return keyFile(info.dir, name) })
}

// replaceProfile writes the file into a folder. key says where the files of keys are.
func replaceProfile(folder, head string, info Info, key func(name string) string) error {
	profile := envconfig.ClientConfig{Profiles: map[string]*envconfig.ClientConfigProfile{
		envconfig.DefaultConfigFileProfile: {
			Address: info.HostPort, Namespace: info.Namespace,
			TLS: &envconfig.ClientConfigTLS{
				ClientCertPath:   key(clientCert),
				ClientKeyPath:    key(clientKey),
				ServerCACertPath: key(caFile),
				ServerName:       serverName,
			},
		},
	}}
	b, err := profile.ToTOML(envconfig.ClientConfigToTOMLOptions{})
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(folder, profileName), append([]byte(head), b...))
}

// prepareClientFiles makes the folder of Options.ClientFiles. It is an error if others may enter it.
func prepareClientFiles(folder string) error {
	if folder == "" {
		return nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("keys for other machines: %w", err)
	}
	st, err := os.Stat(folder)
	if err != nil {
		return fmt.Errorf("keys for other machines: %w", err)
	}
	if mode := st.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return fmt.Errorf("keys for other machines: others may enter %s (mode %04o), and whoever has the keys is you: "+
			"name a folder that is not there yet, or chmod 700 %s if nobody else needs it", folder, mode, folder)
	}
	return nil
}

// writeClientFiles writes the keys of clients, and then the file that names them. It returns the name of that.
func writeClientFiles(folder string, info Info) (string, error) {
	if folder == "" {
		return "", nil
	}
	var errs []error
	for _, name := range []string{caFile, clientCert, clientKey} {
		b, err := os.ReadFile(keyFile(info.dir, name))
		if err == nil {
			err = replaceFile(filepath.Join(folder, name), b)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return "", fmt.Errorf("keys for other machines: %w", err)
	}
	err := replaceProfile(folder, remoteHead, info, func(name string) string { return filepath.Join(folder, name) })
	return filepath.Join(folder, profileName), err
}

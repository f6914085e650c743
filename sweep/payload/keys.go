package payload

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

const (
	keySize = 32 // bytes of a key of AES-256

	// maxFile bounds a file of keys, in bytes: a larger one is some other file.
	maxFile = 64 << 10
)

// Keys are what payloads are encrypted and decrypted with. Without any, payloads are sent as they are, and encrypted
// ones are refused. Methods may be called by several goroutines at once.
type Keys struct{ list []key }

// A key encrypts with a nonce of 96 random bits, which lies before the ciphertext.
type key struct {
	id   string
	aead cipher.AEAD
}

// Any reports whether there are keys, so that payloads are encrypted.
func (k *Keys) Any() bool { return k != nil && len(k.list) > 0 }

// ReadKeys reads a file of keys: one a line, 32 bytes in base64 or hex. Lines that are empty or begin with # are left
// out. Payloads are encrypted with the first key, and decrypted with whichever they name. It is an error if the file
// holds none, or if other users of this machine may read it. No error shows what a line holds.
func ReadKeys(path string) (*Keys, error) {
	f, err := os.Open(path)
	switch _, isKey := parseKey(path); {
	case err != nil && (isKey || strings.Contains(path, "\n")):
		return nil, errors.New("payload keys: a key was given where the name of a file with keys belongs")
	case err != nil:
		return nil, fmt.Errorf("payload keys: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("payload keys: %w", err)
	}
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("payload keys %s: it is a folder: want a file", path)
	case runtime.GOOS != "windows" && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("payload keys %s: other users can reach the file (mode %#o): chmod 600 it", path,
			info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("payload keys: %w", err)
	}
	k, err := parseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("payload keys %s: %w", path, err)
	}
	return k, nil
}

// howToMake is how a user makes a key.
const howToMake = "openssl rand -base64 32 makes one"

func parseKeys(text []byte) (*Keys, error) {
	if len(text) > maxFile {
		return nil, fmt.Errorf("it has more than %d bytes: want lines of 32 bytes in base64; %s", maxFile, howToMake)
	}
	k := &Keys{}
	seen := map[string]int{}
	for i, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		secret, ok := parseKey(string(line))
		if !ok {
			return nil, fmt.Errorf("line %d is no key: want %d bytes in base64 or hex; %s", i+1, keySize, howToMake)
		}
		made, err := newKey(secret)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		if before := seen[made.id]; before > 0 {
			return nil, fmt.Errorf("line %d holds the key of line %d again", i+1, before)
		}
		seen[made.id] = i + 1
		k.list = append(k.list, made)
	}
	if len(k.list) == 0 {
		return nil, errors.New("it holds no key; " + howToMake)
	}
	return k, nil
}

// parseKey reads a key in hex, or in base64 of either alphabet, with padding or without.
func parseKey(text string) (secret []byte, ok bool) {
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if b, err := decode(text); err == nil && len(b) == keySize {
			return b, true
		}
	}
	return nil, false
}

func newKey(secret []byte) (key, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return key{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return key{}, err
	}
	hash := sha256.Sum256(append([]byte("sweep payload key\n"), secret...))
	return key{id: hex.EncodeToString(hash[:8]), aead: aead}, nil
}

//go:build !noserver

package local

import (
	"path/filepath"

	"go.temporal.io/sdk/contrib/envconfig"
)

// writeProfile writes the file from which other programs learn how to connect to a server.
// It stays when the server stops: the next one writes it again.
func writeProfile(info Info) error {
	profile := envconfig.ClientConfig{Profiles: map[string]*envconfig.ClientConfigProfile{
		envconfig.DefaultConfigFileProfile: {
			Address: info.HostPort, Namespace: info.Namespace,
			TLS: &envconfig.ClientConfigTLS{
				ClientCertPath:   keyFile(info.dir, clientCert),
				ClientKeyPath:    keyFile(info.dir, clientKey),
				ServerCACertPath: keyFile(info.dir, caFile),
			},
		},
	}}
	b, err := profile.ToTOML(envconfig.ClientConfigToTOMLOptions{})
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(info.dir, profileName), append([]byte(profileHead), b...))
}

package main

import (
	"errors"
	"strings"
)

// withoutSecrets returns the URL of a store without what is not for everybody to read: a user with a password, and a
// query. A path stays as it is.
func withoutSecrets(url string) string {
	if !strings.Contains(url, ":/") && !strings.HasPrefix(url, "s3:") && !strings.HasPrefix(url, "file:") {
		return url
	}
	url, _, _ = strings.Cut(url, "?")
	if i := strings.LastIndexByte(url, '@'); i >= 0 {
		scheme, _, _ := strings.Cut(url, ":")
		return scheme + "://…" + url[i:]
	}
	return url
}

// checkAddress refuses an address of a Temporal server that holds credentials, before an error of the network shows it.
func checkAddress(hostPort string) error {
	scheme, _, _ := strings.Cut(hostPort, "://")
	if strings.Contains(hostPort, "@") || scheme == "http" || scheme == "https" {
		return inputError{errors.New("the address of the Temporal server, in --address or TEMPORAL_ADDRESS, is not of the " +
			"form host:port: it has neither a scheme nor a user; an API key goes into TEMPORAL_API_KEY")}
	}
	return nil
}

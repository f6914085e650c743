package main

import (
	"errors"
	"fmt"
	"regexp"
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

// tomlLine is how the parser of Temporal's configuration file says where it stopped. After that it shows what is there,
// which may be an API key without its quotation marks.
var tomlLine = regexp.MustCompile(`toml: line (\d+)`)

// badConfiguration is the error of Temporal's configuration file or variables, without what the file holds.
func badConfiguration(err error, file string) error {
	if m := tomlLine.FindStringSubmatch(err.Error()); m != nil {
		if file == "" {
			file = "its file"
		}
		err = fmt.Errorf("%s: line %s is not TOML: want name = \"value\", with quotation marks", file, m[1])
	}
	return inputError{fmt.Errorf("configuration of Temporal: %w", err)}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/spf13/pflag"
)

// networkOptions let programs on other machines use the embedded server.
type networkOptions struct {
	listen     string // an IP address or a name of this machine; "" for 127.0.0.1
	clientKeys string // a folder for the keys of these programs
}

func (o *networkOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.listen, "listen", "", "`address` of this machine at which workers on others reach the Temporal "+
		"server, with the keys of --client-keys (default: they do not)")
	f.StringVar(&o.clientKeys, "client-keys", "", "`folder` that other machines see, and nobody else may enter: it gets "+
		"the keys to the server, and temporal.toml for their TEMPORAL_CONFIG_FILE")
}

// check refuses one option without the other.
func (o *networkOptions) check() error {
	switch {
	case o.listen != "" && o.clientKeys == "":
		return inputError{errors.New("--listen: name a folder with --client-keys too: " +
			"without its keys no other machine can use the server")}
	case o.listen == "" && o.clientKeys != "":
		return inputError{errors.New("--client-keys: say with --listen where other machines reach the server")}
	}
	if ip := net.ParseIP(o.listen); ip != nil && ip.IsUnspecified() {
		return inputError{fmt.Errorf("--listen %s: want one address of this machine, as hostname -I prints them: "+
			"workers are told where the server is", o.listen)}
	}
	if host, _, err := net.SplitHostPort(o.listen); err == nil {
		return inputError{fmt.Errorf("--listen %s: want an address without a port, %s: --grpc-port says which", o.listen,
			host)}
	}
	return nil
}

// resolve returns the IP address to listen on; "" without --listen. A name often stands for 127.0.1.1 on the machine
// that has it, and for something else elsewhere: then it is an error.
func (o *networkOptions) resolve(ctx context.Context) (string, error) {
	if o.listen == "" || net.ParseIP(o.listen) != nil {
		return o.listen, nil
	}
	ips, err := net.DefaultResolver.LookupIP(ctx, "ip", o.listen)
	if err != nil {
		return "", inputError{fmt.Errorf("--listen: %w", err)}
	}
	for _, ip := range ips {
		if !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !ip.IsUnspecified() {
			return ip.String(), nil
		}
	}
	return "", inputError{fmt.Errorf("--listen %s: that is %v here, which other machines do not reach: "+
		"give an IP address of this machine, as hostname -I prints them", o.listen, ips[0])}
}

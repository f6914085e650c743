package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// A number is the value of a flag that takes a whole number from a range. Without
// the flag the variable keeps its value, also a 0 that stands for the default.
type number struct {
	at          *int
	least, most int
}

func atLeast1(at *int) number { return number{at, 1, math.MaxInt} }

// An autoNumber is a number of 1 or more, or the word auto, which is 0.
type autoNumber struct{ number }

func atLeast1OrAuto(at *int) autoNumber { return autoNumber{atLeast1(at)} }

// Set implements pflag.Value.
func (n autoNumber) Set(s string) error {
	if s == auto {
		*n.at = 0
		return nil
	}
	if n.number.Set(s) != nil {
		return errors.New("want auto, or 1 or more")
	}
	return nil
}

func (n autoNumber) String() string {
	if n.at != nil && *n.at == 0 {
		return auto
	}
	return n.number.String()
}

// port is a number of a TCP port.
func port(at *int) number { return number{at, 1, 65535} }

// Set implements pflag.Value.
func (n number) Set(s string) error {
	v, err := strconv.Atoi(s)
	switch {
	case err == nil && v >= n.least && v <= n.most:
		*n.at = v
		return nil
	case n.most == math.MaxInt:
		return fmt.Errorf("want %d or more", n.least)
	}
	return fmt.Errorf("want %d to %d", n.least, n.most)
}

func (n number) Type() string { return "int" }

func (n number) String() string {
	if n.at == nil { // pflag asks a zero number
		return "0"
	}
	return strconv.Itoa(*n.at)
}

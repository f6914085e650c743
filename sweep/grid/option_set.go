package grid

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The functions below make the set functions of options. Each reads a scalar, checks it, and stores it in the variable
// that to points to. After an error the variable is as before, except in setPositiveFloat.

// setText reads text that is not empty.
func setText(to *string) func(*node) error {
	return func(n *node) error {
		if strings.TrimSpace(n.text) == "" {
			return errors.New("is empty")
		}
		*to = n.text
		return nil
	}
}

// setWord reads one of some words.
func setWord(to *string, words ...string) func(*node) error {
	return func(n *node) error {
		if !slices.Contains(words, n.text) {
			return fmt.Errorf("%q is not one of %s", n.text, strings.Join(words, ", "))
		}
		*to = n.text
		return nil
	}
}

// setBool reads true or false. It refuses 0, 1, t and f, which strconv.ParseBool accepts.
func setBool(to *bool) func(*node) error {
	return func(n *node) error {
		b, err := strconv.ParseBool(n.text)
		if err != nil || n.quoted || len(n.text) < 4 {
			return fmt.Errorf("%q: want true or false", n.text)
		}
		*to = b
		return nil
	}
}

// setOptionalBool reads true or false. The pointer stays nil if the key is not given.
func setOptionalBool(to **bool) func(*node) error {
	return func(n *node) error {
		var b bool
		err := setBool(&b)(n)
		if err == nil {
			*to = &b
		}
		return err
	}
}

// setInt reads a whole number from low to high.
func setInt[T int | int64](to *T, low, high int64) func(*node) error {
	return func(n *node) error {
		if n.quoted {
			return fmt.Errorf("%q is text: want a whole number, without quotes", n.text)
		}
		i, err := parseInt(n.text)
		switch {
		case errors.Is(err, errNotNumber):
			return fmt.Errorf("%q: want a whole number", n.text)
		case err != nil:
			return err
		case i < low:
			return fmt.Errorf("%d is less than %d", i, low)
		case i > high:
			return fmt.Errorf("%d is more than %d", i, high)
		}
		*to = T(i)
		return nil
	}
}

// setIntOrAuto reads a whole number from low to high, or auto, which is stored as 0.
func setIntOrAuto[T int | int64](to *T, low, high int64) func(*node) error {
	set := setInt(to, low, high)
	return func(n *node) error {
		if n.text == "auto" {
			*to = 0
			return nil
		}
		return set(n)
	}
}

// setConcurrent reads a max_concurrent, or auto, which is stored as 0.
func setConcurrent(to *int) func(*node) error {
	return func(n *node) error {
		var i int64
		if err := setIntOrAuto(&i, math.MinInt64, math.MaxInt64)(n); err != nil {
			return err
		}
		if n.text != "auto" {
			if err := CheckConcurrent(i); err != nil {
				return err
			}
		}
		*to = int(i)
		return nil
	}
}

// setOptionalInt reads a whole number from low to high. The pointer stays nil if the key is not given.
func setOptionalInt(to **int, low, high int64) func(*node) error {
	return func(n *node) error {
		var i int
		err := setInt(&i, low, high)(n)
		if err == nil {
			*to = &i
		}
		return err
	}
}

// setFloat reads a number from 0 to high.
func setFloat(to *float64, high float64) func(*node) error {
	return func(n *node) error {
		x, err := parseFloat(n.text)
		switch {
		case errors.Is(err, errNotNumber) || n.quoted:
			return fmt.Errorf("%q: want a number", n.text)
		case err != nil:
			return err
		case x < 0:
			return fmt.Errorf("%s is less than 0", n.text)
		case x > high:
			return fmt.Errorf("%s is more than %s", n.text, formatFloat(high))
		}
		*to = x
		return nil
	}
}

// setPositiveFloat reads a number that is greater than 0.
func setPositiveFloat(to *float64) func(*node) error {
	return func(n *node) error {
		if err := setFloat(to, math.MaxFloat64)(n); err != nil {
			return err
		}
		if *to == 0 {
			return errors.New("0 is not greater than 0")
		}
		return nil
	}
}

// setMaxNorm reads a norm above 0, or a number of median norms such as 10x_median. It is stored as trainer.ParseMaxNorm
// reads it.
func setMaxNorm(to *string) func(*node) error {
	return func(n *node) error {
		const unit = "x_median"
		number, ofMedian := strings.CutSuffix(n.text, unit)
		x, err := parseFloat(number)
		switch {
		case errors.Is(err, errNotNumber) || n.quoted && !ofMedian:
			return fmt.Errorf("%q: want a number, or a number of median norms such as 10%s", n.text, unit)
		case err != nil:
			return err
		case x <= 0:
			return fmt.Errorf("%s is not greater than 0", n.text)
		}
		if *to = formatFloat(x); ofMedian {
			*to += unit
		}
		return nil
	}
}

// setWordOrDefault reads one of words. The first one, which is the default, is stored as no text.
func setWordOrDefault(to *string, words ...string) func(*node) error {
	return func(n *node) error {
		word := ""
		err := setWord(&word, words...)(n)
		if err != nil {
			return err
		}
		if *to = word; word == words[0] {
			*to = ""
		}
		return nil
	}
}

// setDuration reads a time such as 90s or 5m, of at least low.
func setDuration(to *time.Duration, low time.Duration) func(*node) error {
	return func(n *node) error {
		d, err := time.ParseDuration(n.text)
		if err != nil {
			return fmt.Errorf("%q: want a time with its unit, such as 90s, 5m or 1h", n.text)
		}
		if d < low {
			return fmt.Errorf("%s is less than %s", n.text, low)
		}
		*to = d
		return nil
	}
}

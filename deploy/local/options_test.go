package local

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		want string // in the error; none if empty
	}{
		"defaults":        {Options{Dir: "state"}, ""},
		"no directory":    {Options{}, "Dir is empty"},
		"port range":      {Options{Dir: "d", GRPCPort: 65536}, "65536"},
		"UI port range":   {Options{Dir: "d", UIPort: 1 << 20}, "1048576"},
		"same port":       {Options{Dir: "d", GRPCPort: 9000, UIPort: 9000}, "9000"},
		"short retention": {Options{Dir: "d", Retention: time.Minute}, "1m0s"},
		"negative":        {Options{Dir: "d", Retention: -time.Hour}, "-1h"},
	} {
		got, err := c.o.withDefaults()
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v; want an error with %q", name, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !filepath.IsAbs(got.Dir) || got.Namespace != DefaultNamespace ||
			got.Retention != DefaultRetention || got.Logger == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

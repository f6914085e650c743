package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed assets
var assets embed.FS

// scripts lists the scripts in the order in which they are joined: each uses only what stands before it, or what is
// called after all are read.
func scripts() []string {
	return []string{
		"util.js", "data.js", "filter.js", "state.js", "scale.js", "brush.js", "plot.js", "plots.js", "curves.js",
		"parallel.js", "table.js", "tree.js", "extend.js", "details.js", "download.js", "live.js", "main.js",
	}
}

// Write writes the report as one HTML file.
func Write(w io.Writer, in Input) error {
	d, err := newDocument(in)
	if err != nil {
		return err
	}
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	b, err := render(d.Title, data, false)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// render returns the page of a document in JSON, which holds no <: encoding/json writes \u003c.
func render(title string, data []byte, served bool) ([]byte, error) {
	style, script, err := parts()
	if err != nil {
		return nil, err
	}
	page, err := template.ParseFS(assets, "assets/page.html")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	var b bytes.Buffer
	err = page.Execute(&b, struct {
		Title, Policy string
		Style         template.CSS
		Script, Data  template.JS
	}{title, policy(style, script, served), template.CSS(style), template.JS(script), template.JS(data)})
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	return b.Bytes(), nil
}

// parts returns the style sheet and the joined scripts, each as it stands between its tags. The scripts share one
// scope, which nothing else sees.
func parts() (style, script string, err error) {
	css, err := assets.ReadFile("assets/style.css")
	if err != nil {
		return "", "", fmt.Errorf("page: %w", err)
	}
	var b strings.Builder
	b.WriteString("\"use strict\";\n(() => {\n")
	for _, name := range scripts() {
		text, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return "", "", fmt.Errorf("page: %w", err)
		}
		b.Write(text)
	}
	b.WriteString("})();\n")
	return string(css), b.String(), nil
}

// policy allows the page its own style and script and nothing from elsewhere; a served page may ask its own server.
func policy(style, script string, served bool) string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	p := "default-src 'none'; script-src " + hash(script) + "; style-src " + hash(style) +
		"; img-src data:; base-uri 'none'; form-action 'none'"
	if served {
		p += "; connect-src 'self'"
	}
	return p
}

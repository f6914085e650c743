// Package page makes the report of sweeps: one HTML file that holds its data, style and script, and asks the network
// for nothing. It also serves such reports on the loopback interface, where the page asks for newer data by itself.
//
// The page is a template (assets/page.html), one style sheet and plain scripts (assets/*.js), which are joined in the
// order of scripts. No build step and no library stands between them and the browser. All text of the data is set as
// text by the script, never as HTML. A policy in the page (Content-Security-Policy) allows this style and this script
// alone, by their hashes.
//
// Equal inputs give equal bytes. The package reads no store: whoever calls it gives it results, curves and plans. Of
// this project it imports trainer, sweep/plan, sweep/ledger and sweep/table.
package page

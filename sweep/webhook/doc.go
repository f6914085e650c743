// Package webhook tells people elsewhere what becomes of their sweeps: it posts small JSON documents to one URL, such
// as an incoming webhook of Slack or Mattermost, or a program of one's own.
//
// Who posts must not wait: Sender.Send puts a message into a short queue, and one goroutine tries it a few times. A
// message that nobody takes is given up with a line in the log. Nothing ever fails for it.
//
// The URL is a secret: whoever has it can write into the chat. So the package names the host alone, and puts neither
// the URL nor what a server answers into errors and logs.
//
// The package knows the standard library alone. What a message says is its users' matter.
package webhook

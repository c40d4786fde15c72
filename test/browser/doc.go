// Package browser tests the pages of jobs as people see them: in a real browser, headless Chromium, through the proxy of the
// development cluster, signed in at its identity provider.
package browser

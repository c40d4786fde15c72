// Package pages_test proves the pages of jobs behind the proxies that lead to them: Traefik and caddy, configured as
// docs/pages.md says, before the gateway's own parts and jobs that tell exactly what reached them.
package pages_test

// Package jobpages lets people see the pages that jobs serve. A page has a host of its own, of which every request goes through the
// gateway to the job, and is ended together with the right to it. Or a proxy asks the gateway before each request (forward-auth) and
// carries itself what is not meant to stay open. Who may see a page is decided by its host alone, never by a path: by the right to
// read the job.
//
// A browser signs in at the gateway's own host, which no job can read anything of, and comes back to the page's host with a code
// that is good once, for that browser and that host. There it is given a cookie of that host. Before the job sees a request
// our cookies and the Authorization are taken out; in their place stands an assertion, signed and short-lived, of who asks.
package jobpages

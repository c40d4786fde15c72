package browser

import (
	"context"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// browser is a Chromium with a profile of its own: whoever uses it is signed in nowhere yet.
type browser struct {
	t   *testing.T
	ctx context.Context
}

// openBrowser starts one that trusts the authorities of a file, and no others that are not Chromium's own.
func openBrowser(t *testing.T, caFile string) *browser {
	t.Helper()
	home := t.TempDir()
	trust(t, home, caFile)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.UserDataDir(filepath.Join(home, "profile")), chromedp.Env("HOME="+home), chromedp.WindowSize(1000, 600),
		chromedp.WSURLReadTimeout(patience),
	)
	if os.Geteuid() == 0 {
		// Chromium's own sandbox is not for root.
		options = append(options, chromedp.NoSandbox)
	}
	allocated, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	ctx, closeTab := chromedp.NewContext(allocated)
	t.Cleanup(closeTab)
	// Waits until it has ended: its profile is removed next.
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) })
	// The first run starts it, and ends it with its context.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return &browser{t: t, ctx: ctx}
}

// trust makes the programs of a home trust authorities, as a person does with `certutil`.
func trust(t *testing.T, home, caFile string) {
	t.Helper()
	db := filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(db, 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, nil, "", "certutil", "-N", "-d", "sql:"+db, "--empty-password")
	text, err := os.ReadFile(filepath.Clean(caFile))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return
		}
		run(t, nil, string(pem.EncodeToMemory(block)), "certutil", "-A", "-d", "sql:"+db, "-n", fmt.Sprint("soma-", i), "-t", "C,,")
	}
}

// visit goes to an address and returns the status of what it ends at, and its text.
func (b *browser) visit(address string) (int64, string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	answer, err := chromedp.RunResponse(ctx, chromedp.Navigate(address))
	if err != nil {
		b.t.Fatalf("go to %s: %v", address, err)
	}
	status := int64(0)
	if answer != nil {
		status = answer.Status
	}
	return status, b.text()
}

// text is what the page shows now; "" while it loads.
func (b *browser) text() string { return b.eval(`document.body ? document.body.innerText : ""`) }

// address is that of the page that is shown.
func (b *browser) address() string { return b.eval(`location.href`) }

// eval calculates a text in the page; "" where another page takes its place meanwhile.
func (b *browser) eval(script string) string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[string](script))
	if err != nil {
		return ""
	}
	return value
}

// signIn takes the identity provider on the gateway's page, and enters who it is there, as the development cluster has people.
func (b *browser) signIn(person string) {
	b.t.Helper()
	b.follow(chromedp.Click(chromedp.CSS("a.button")))
	b.enter(person)
}

// enter enters who it is at the identity provider.
func (b *browser) enter(person string) {
	b.t.Helper()
	name := chromedp.CSS("#login")
	b.follow(
		chromedp.WaitVisible(name), chromedp.SendKeys(name, person+"@soma.dev"), chromedp.SendKeys(chromedp.CSS("#password"), person),
		chromedp.Click(chromedp.CSS("#submit-login")),
	)
}

// follow does what leads to another page.
func (b *browser) follow(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, steps...); err != nil {
		b.t.Fatalf("from %s on: %v\n%s", b.address(), err, b.text())
	}
}

// shot keeps a picture of what is shown in the folder that SOMA_BROWSER_SHOTS names, for people to look at.
func (b *browser) shot(name string) {
	folder := os.Getenv("SOMA_BROWSER_SHOTS")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// run runs a program to its end and returns its output.
func run(t *testing.T, environment []string, input, program string, args ...string) string {
	t.Helper()
	out, err := try(environment, input, program, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return out
}

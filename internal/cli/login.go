package cli

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/soma-platform/soma/internal/signin"
)

// tokenCommand is the command by which kubectl asks for a token, before the gateway's address; sessionFlag comes behind it, before the
// name of the sign-in.
var (
	tokenCommand = []string{"auth", "token", "--gateway"}
	sessionFlag  = "--session"
)

// maxCA bounds a file with a certificate authority.
const maxCA = 1 << 20

// loginFlags are the flags of `soma login`.
type loginFlags struct {
	device           bool
	issuer, ca, name string
}

func newLogin(a *app) *cobra.Command {
	f := &loginFlags{}
	c := &cobra.Command{
		Use: "login URL", Short: "Sign in at a gateway",
		Long: `Sign in at a gateway, with a browser of this machine or, by --device, of any other. Afterwards this command line and kubectl use the
cluster behind it with your rights: the kubeconfig gets a context for it, which becomes the current one.

Who you are is kept in a file that only you can read, and renewed for as long as your identity provider lets it. Each context of a kubeconfig
has a sign-in of its own: to be somebody else beside, name another context by --name, or another kubeconfig.`,
		Example: a.examples("login https://soma.example.com", "by a browser of this machine", "login https://soma.example.com --device", "by a code, on a machine without one"),
		Args:    oneArg("the address of the gateway"), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := signin.Address(args[0]); err != nil {
				return usageError(c, err)
			}
			return a.login(c.Context(), args[0], f)
		},
	}
	c.Flags().BoolVar(&f.device, "device", false, "show a code to enter in a browser of another machine")
	c.Flags().StringVar(&f.issuer, "issuer", "", "identity provider, where there are several")
	c.Flags().StringVar(&f.ca, "ca-file", "", "file with the authority of the gateway's certificate, where this machine does not know it (default: $SOMA_CA_FILE)")
	c.Flags().StringVar(&f.name, "name", "", "name of the kubeconfig's context (default: the gateway's host)")
	return c
}

func (a *app) login(ctx context.Context, gateway string, f *loginFlags) error {
	var ca []byte
	if file := cmp.Or(f.ca, os.Getenv("SOMA_CA_FILE")); file != "" {
		var err error
		if ca, err = readBounded(file, maxCA); err != nil {
			return fmt.Errorf("--ca-file: %w", err)
		}
	}
	found, err := signin.Discover(ctx, gateway, ca)
	if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) {
		return fmt.Errorf("%w\nsay by --ca-file or SOMA_CA_FILE what the gateway's certificate is from", err)
	}
	if err != nil {
		return err
	}
	issuer, err := found.Choose(f.issuer)
	if err != nil {
		return err
	}
	tokens, err := a.signIn(ctx, issuer, f.device)
	if err != nil {
		return err
	}
	// Whom the gateway does not know is not signed in.
	who, err := signin.Who(ctx, found, tokens.ID)
	if err != nil {
		return err
	}
	name := cmp.Or(f.name, contextName(found.Gateway))
	if err := a.keep(name, &signin.Saved{Discovery: *found, Issuer: issuer.Name, Tokens: *tokens}); err != nil {
		return err
	}
	fmt.Fprintf(a.err, "You are %s at %s. The current context is %s.\n", who.User, found.Gateway, name)
	return nil
}

// keep keeps a sign-in as that of a context of the kubeconfig, in place of the one before.
func (a *app) keep(name string, saved *signin.Saved) error {
	config, err := a.kubeconfig()
	if err != nil {
		return err
	}
	cache, err := signin.OpenCache("")
	if err != nil {
		return err
	}
	saved.Session = cmp.Or(signedIn(config, name).Session, signin.NewSession())
	if err := cache.Save(saved); err != nil {
		return err
	}
	return a.addContext(config, name, &saved.Discovery, saved.Session)
}

// signIn signs a person in with a browser.
func (a *app) signIn(ctx context.Context, issuer *signin.Issuer, device bool) (*signin.Tokens, error) {
	if device {
		return signin.Device(ctx, issuer, func(code signin.Code) error {
			_, err := fmt.Fprintln(a.err, codeText(code))
			return err
		})
	}
	return signin.Browser(ctx, issuer, func(address string) error {
		fmt.Fprintf(a.err, "Sign in with your browser. Where none opens, go to\n  %s\n", address)
		openBrowser(address)
		return nil
	})
}

// openBrowser opens an address where that is possible: the address was shown for where it is not.
func openBrowser(address string) {
	opener := []string{"xdg-open"}
	switch runtime.GOOS {
	case "darwin":
		opener = []string{"open"}
	case "windows":
		opener = []string{"rundll32", "url.dll,FileProtocolHandler"}
	}
	command := exec.Command(opener[0], append(opener[1:], address)...) //nolint:gosec // the address is one that the identity provider of the gateway gave
	if command.Start() == nil {
		go func() { _ = command.Wait() }() // how it ends is its own affair
	}
}

// contextName is the name of the context for a gateway: its host.
func contextName(gateway string) string {
	if u, err := url.Parse(gateway); err == nil && u.Host != "" {
		return u.Host
	}
	return gateway
}

// kubeconfig is what is in the kubeconfig: nothing where there is none yet.
func (a *app) kubeconfig() (*clientcmdapi.Config, error) {
	config, err := a.kube.load().RawConfig()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return clientcmdapi.NewConfig(), nil
	case err != nil:
		return nil, badKubeconfig(err)
	}
	return &config, nil
}

// addContext puts the cluster behind a gateway into the kubeconfig, for who signed in, and makes it the current one.
func (a *app) addContext(config *clientcmdapi.Config, name string, found *signin.Discovery, session string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, for kubectl to ask: %w", err)
	}
	signin.Entry(config, name, found, program, slices.Concat(tokenCommand, []string{found.Gateway, sessionFlag, session}))
	config.CurrentContext = name
	if err := clientcmd.ModifyConfig(a.kube.load().ConfigAccess(), *config, false); err != nil {
		return fmt.Errorf("the kubeconfig cannot be written: %w\nmake the file writable, or name another by --kubeconfig", err)
	}
	return nil
}

// at is the sign-in of the current context; where a gateway's address is given, one there.
func (a *app) at(c *cobra.Command, args []string) (signin.At, error) {
	config, err := a.kubeconfig()
	if err != nil {
		return signin.At{}, err
	}
	current := signedIn(config, cmp.Or(a.kube.context, config.CurrentContext))
	if len(args) == 0 {
		if current.Gateway == "" {
			return current, errors.New("the current context of the kubeconfig is that of no gateway; name the gateway's address")
		}
		return current, nil
	}
	address, err := signin.Address(args[0])
	if err != nil {
		return signin.At{}, usageError(c, err)
	}
	if current.Gateway == address {
		return current, nil
	}
	for _, name := range slices.Sorted(maps.Keys(config.Contexts)) {
		if at := signedIn(config, name); at.Gateway == address {
			return at, nil
		}
	}
	return signin.At{Gateway: address}, nil
}

// signedIn is the sign-in of a context that `soma login` made, empty for others.
func signedIn(config *clientcmdapi.Config, name string) signin.At {
	context := config.Contexts[name]
	if context == nil {
		return signin.At{}
	}
	user := config.AuthInfos[context.AuthInfo]
	if user == nil || user.Exec == nil {
		return signin.At{}
	}
	args := user.Exec.Args
	if n := len(tokenCommand); len(args) > n && slices.Equal(args[:n], tokenCommand) {
		switch rest := args[n:]; {
		case len(rest) == 1:
			return signin.At{Gateway: rest[0]}
		case len(rest) == 3 && rest[1] == sessionFlag:
			return signin.At{Gateway: rest[0], Session: rest[2]}
		}
	}
	return signin.At{}
}

func newAuth(a *app) *cobra.Command {
	var given signin.At
	token := &cobra.Command{
		Use: "token", Short: "Print a token for a gateway, as kubectl asks for it",
		Args: noArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			at := given
			if at.Session == "" {
				var address []string
				if at.Gateway != "" {
					address = []string{at.Gateway}
				}
				var err error
				if at, err = a.at(c, address); err != nil {
					return err
				}
			}
			cache, err := signin.OpenCache("")
			if err != nil {
				return err
			}
			tokens, err := cache.Token(c.Context(), at, a.now)
			switch {
			case errors.Is(err, signin.ErrNotSignedIn), errors.Is(err, signin.ErrSignInAgain):
				return fmt.Errorf("you are not signed in at %s, or no longer\nsign in with \"%s login %s\"", at.Gateway, a.program, at.Gateway)
			case err != nil:
				return err
			}
			return signin.WriteCredential(a.out, tokens)
		},
	}
	token.Flags().StringVar(&given.Gateway, "gateway", "", "address of the gateway (default: that of the current context)")
	token.Flags().StringVar(&given.Session, strings.TrimPrefix(sessionFlag, "--"), "", "which of the sign-ins there, as the kubeconfig has it (default: that of the context)")
	c := &cobra.Command{Use: "auth", Short: "What kubectl asks for"}
	c.AddCommand(token)
	return c
}

// readBounded reads a file that is not larger than expected.
func readBounded(file string, most int64) ([]byte, error) {
	info, err := os.Stat(file) //nolint:gosec // a file that the user names
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%s is no file of at most %d bytes", file, most)
	}
	return os.ReadFile(file) //nolint:gosec // the user names it
}

// codeText says where to enter what.
func codeText(code signin.Code) string {
	text := fmt.Sprintf("In a browser of any machine, go to\n  %s\nand enter the code %s", code.Address, code.Code)
	if code.Complete != "" {
		text += fmt.Sprintf(", or go to\n  %s", code.Complete)
	}
	return text
}

// Command dex is an identity provider for the development cluster and for tests: Dex, with the people of a file, whose
// passwords everybody knows. It forgets everything when it ends.
package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	gosundheit "github.com/AppsFlyer/go-sundheit"
	"github.com/dexidp/dex/server"
	"github.com/dexidp/dex/server/connectors"
	"github.com/dexidp/dex/server/session"
	"github.com/dexidp/dex/server/signer"
	"github.com/dexidp/dex/server/tokens"
	"github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/crypto/bcrypt"
)

// settings are the file. It is JSON, with names as below.
type settings struct {
	// Issuer is the address, and Listen where that is.
	Issuer, Listen string
	// Certificate and Key are files.
	Certificate, Key string
	Clients          []client
	People           []person
	// TokenLifetime is how long ID tokens count, as in 10m; 1 hour by default.
	TokenLifetime string
	// Sessions keeps people signed in at the provider itself, where they can sign out then.
	Sessions bool
}

type client struct {
	ID, Name string
	// Secret is empty for a public client, which may come back to any port of the loopback.
	Secret       string
	RedirectURIs []string
}

type person struct {
	// ID is what the subject is made from.
	ID, Email, Name, Username, Password string
	Groups                              []string
}

func main() {
	file := flag.String("config", "", "the file of settings")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *file)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "dex:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the settings: %w", err)
	}
	var s settings
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("the settings %s: %w", file, err)
	}
	handler, err := provider(ctx, s)
	if err != nil {
		return err
	}
	listener := &http.Server{
		Addr: s.Listen, Handler: handler, ReadHeaderTimeout: 10 * time.Second, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	if err := listener.ListenAndServeTLS(s.Certificate, s.Key); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func provider(ctx context.Context, s settings) (http.Handler, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	store, err := filled(s, log)
	if err != nil {
		return nil, err
	}
	lifetime := time.Hour
	if s.TokenLifetime != "" {
		if lifetime, err = time.ParseDuration(s.TokenLifetime); err != nil {
			return nil, fmt.Errorf("TokenLifetime: %w", err)
		}
	}
	keys, err := (&signer.LocalConfig{KeysRotationPeriod: "24h"}).Open(ctx, store, lifetime, time.Now, log)
	if err != nil {
		return nil, fmt.Errorf("make keys: %w", err)
	}
	refresh, err := tokens.NewRefreshTokenPolicy(log, false, "168h", "720h", "5s")
	if err != nil {
		return nil, fmt.Errorf("say how long refresh tokens count: %w", err)
	}
	var sessions *session.Config
	if s.Sessions {
		key := make([]byte, 32)
		_, _ = rand.Read(key)
		sessions = &session.Config{CookieName: "dex_session", CookieEncryptionKey: key, AbsoluteLifetime: 24 * time.Hour, ValidIfNotUsedFor: time.Hour, SSOSharedWithDefault: "all"}
	}
	return server.NewServer(ctx, server.Config{
		Issuer: s.Issuer, Storage: store, SkipApprovalScreen: true, Signer: keys, IDTokensValidFor: lifetime, RefreshTokenPolicy: refresh,
		SessionConfig: sessions,
		Web:           server.WebConfig{Issuer: "Development"},
		Logger:        log, Now: time.Now, PrometheusRegistry: prometheus.NewRegistry(), HealthChecker: gosundheit.New(),
	})
}

// filled is a store with the people and clients of the settings.
func filled(s settings, log *slog.Logger) (storage.Storage, error) {
	var people []storage.Password
	for _, p := range s.People {
		hash, err := bcrypt.GenerateFromPassword([]byte(p.Password), bcrypt.DefaultCost)
		if err != nil {
			return nil, fmt.Errorf("the password of %s: %w", p.Email, err)
		}
		people = append(people, storage.Password{
			Email: p.Email, Hash: hash, Username: p.Name, Name: p.Name, PreferredUsername: p.Username, UserID: p.ID, Groups: p.Groups,
		})
	}
	var clients []storage.Client
	for _, c := range s.Clients {
		clients = append(clients, storage.Client{ID: c.ID, Name: c.Name, Secret: c.Secret, Public: c.Secret == "", RedirectURIs: c.RedirectURIs})
	}
	store := storage.WithStaticClients(memory.New(log), clients)
	store = storage.WithStaticPasswords(store, people, log)
	return storage.WithStaticConnectors(store, []storage.Connector{{ID: connectors.LocalConnector, Name: "Password", Type: connectors.LocalConnector}}), nil
}

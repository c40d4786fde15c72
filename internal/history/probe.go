package history

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// probeInterval is the time between two probes.
	probeInterval = 2 * time.Second
	// probeTimeout is how long a database may take to give a sign of life.
	probeTimeout = 3 * time.Second
)

// prober has a connection of its own: those of the pool may all be at work, which tells nothing of the database.
type prober struct {
	mutex      sync.Mutex
	connection *pgx.Conn
}

// KeepProbing probes every few seconds until the context ends. Since when the database is away is then known to within
// seconds, also where nobody asks it for anything.
func (s *Store) KeepProbing(ctx context.Context) {
	// What a probe finds, the store remembers.
	wait.UntilWithContext(ctx, func(ctx context.Context) { _ = s.Probe(ctx) }, probeInterval)
}

// Probe asks the database for a sign of life. Its error is that of any other call; Outage tells what follows from it.
func (s *Store) Probe(ctx context.Context) error {
	s.prober.mutex.Lock()
	defer s.prober.mutex.Unlock()
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return s.observe(s.prober.ask(ctx, s.pool.Config().ConnConfig))
}

func (p *prober) ask(ctx context.Context, config *pgx.ConnConfig) error {
	if p.connection == nil || p.connection.IsClosed() {
		connection, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return fmt.Errorf("reach the history: %w", err)
		}
		p.connection = connection
	}
	// A database without the history's tables is of no use either.
	if _, err := p.connection.Exec(ctx, "SELECT FROM objects LIMIT 1"); err != nil {
		return fmt.Errorf("ask the history for a sign of life: %w", err)
	}
	return nil
}

func (p *prober) close() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.connection != nil {
		_ = p.connection.PgConn().Conn().Close() // nothing is lost with it
	}
}

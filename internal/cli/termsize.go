package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
	"k8s.io/client-go/tools/remotecommand"
)

// sizeQueue tells the size of a terminal at the beginning and whenever it changes.
type sizeQueue struct {
	fd      int
	changes chan os.Signal
	ctx     context.Context //nolint:containedctx // Next has no parameter for it
	cancel  context.CancelFunc
}

func newSizeQueue(ctx context.Context, fd int) *sizeQueue {
	q := &sizeQueue{fd: fd, changes: make(chan os.Signal, 1)}
	q.ctx, q.cancel = context.WithCancel(ctx)
	signal.Notify(q.changes, syscall.SIGWINCH)
	q.changes <- syscall.SIGWINCH // the size at the beginning
	return q
}

// Next waits for the next size; nil when there are no more.
func (q *sizeQueue) Next() *remotecommand.TerminalSize {
	select {
	case <-q.ctx.Done():
		return nil
	case <-q.changes:
	}
	width, height, err := term.GetSize(q.fd)
	if err != nil || width <= 0 || height <= 0 || width > 1<<15 || height > 1<<15 {
		return nil
	}
	return &remotecommand.TerminalSize{Width: uint16(width), Height: uint16(height)} //nolint:gosec // bounded above
}

func (q *sizeQueue) stop() {
	signal.Stop(q.changes)
	q.cancel()
}

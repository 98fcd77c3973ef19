// Command tessera-peer appends entries to a Tessera POSIX log from clients in this process, each
// asking again as soon as it was answered, and prints what it measured as one line of JSON.
//
// It is the other side of `cargo xtask bench ledger --tessera PATH`.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"sync"
	"syscall"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

const (
	origin = "bench.example/tessera"
	// The awaiter polls; it is never what the clients wait for.
	poll = 5 * time.Millisecond
	// The least interval that the POSIX driver takes.
	publishedInterval = 100 * time.Millisecond
)

// Measured is what is printed.
type Measured struct {
	Name    string  `json:"name"`
	Answer  string  `json:"answer"`
	Entries int     `json:"entries"`
	Seconds float64 `json:"seconds"`
	P50US   float64 `json:"p50_us"`
	P99US   float64 `json:"p99_us"`
	CPUUS   float64 `json:"cpu_us"`
}

func main() {
	dir := flag.String("dir", "", "directory of the log, made if it is not there")
	clients := flag.Int("clients", 64, "how many clients ask at once")
	size := flag.Int("bytes", 512, "bytes of an entry")
	seconds := flag.Float64("seconds", 2, "how long to measure")
	warm := flag.Float64("warm", 0.3, "how long to ask before that")
	batch := flag.Uint("batch", 64, "entries of a batch")
	age := flag.Duration("age", 5*time.Millisecond, "most that a batch waits to be full")
	interval := flag.Duration("interval", time.Second, "between checkpoints, where nobody waits for one")
	wait := flag.String("wait", "durable", "durable: the index is durable; proof: a published checkpoint covers it")
	flag.Parse()
	if err := run(*dir, *clients, *size, *seconds, *warm, *batch, *age, *interval, *wait); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
}

func run(dir string, clients, size int, seconds, warm float64, batch uint, age, interval time.Duration, wait string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signer, err := newSigner(dir)
	if err != nil {
		return err
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return err
	}
	answer := "durable index"
	if wait == "proof" {
		answer, interval = "durable, checkpoint published", publishedInterval
	}
	options := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithBatching(batch, age).
		WithCheckpointInterval(interval)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return err
	}
	add := func(entry []byte) error {
		_, err := appender.Add(ctx, tessera.NewEntry(entry))()
		return err
	}
	if wait == "proof" {
		awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, poll)
		add = func(entry []byte) error {
			_, _, err := awaiter.Await(ctx, appender.Add(ctx, tessera.NewEntry(entry)))
			return err
		}
	}
	measured, err := measure(add, clients, size, seconds, warm)
	if err != nil {
		return err
	}
	measured.Name = fmt.Sprintf("Tessera POSIX v1.0.4 (batch %d / %v)", batch, age)
	measured.Answer = answer
	if err := shutdown(ctx); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(measured)
}

// newSigner keeps the key beside the log, so that a later round continues it.
func newSigner(dir string) (note.Signer, error) {
	path := dir + ".key"
	key, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		secret, _, err := note.GenerateKey(rand.Reader, origin)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
			return nil, err
		}
		return note.NewSigner(secret)
	}
	if err != nil {
		return nil, err
	}
	return note.NewSigner(string(key))
}

func measure(add func([]byte) error, clients, size int, seconds, warm float64) (Measured, error) {
	begin := time.Now().Add(time.Duration(warm * float64(time.Second)))
	end := begin.Add(time.Duration(seconds * float64(time.Second)))
	var group sync.WaitGroup
	var mutex sync.Mutex
	var all []time.Duration
	var failed error
	for range clients {
		group.Add(1)
		go func() {
			defer group.Done()
			times, err := ask(add, size, begin, end)
			mutex.Lock()
			defer mutex.Unlock()
			all = append(all, times...)
			if err != nil {
				failed = err
			}
		}()
	}
	time.Sleep(time.Until(begin))
	before := cpu()
	group.Wait()
	used := cpu() - before
	took := time.Since(begin)
	if failed != nil {
		return Measured{}, failed
	}
	if len(all) == 0 {
		return Measured{}, fmt.Errorf("nothing was measured")
	}
	sort.Slice(all, func(a, b int) bool { return all[a] < all[b] })
	at := func(part float64) float64 {
		return float64(all[int(part*float64(len(all)-1))].Nanoseconds()) / 1e3
	}
	return Measured{
		Entries: len(all),
		Seconds: took.Seconds(),
		P50US:   at(0.5),
		P99US:   at(0.99),
		CPUUS:   float64(used.Nanoseconds()) / 1e3 / float64(len(all)),
	}, nil
}

func ask(add func([]byte) error, size int, begin, end time.Time) ([]time.Duration, error) {
	var times []time.Duration
	entry := make([]byte, size)
	for {
		start := time.Now()
		if start.After(end) {
			return times, nil
		}
		// Every entry is another one, as every entry of a log is.
		if _, err := rand.Read(entry[:min(size, 16)]); err != nil {
			return nil, err
		}
		if err := add(append([]byte(nil), entry...)); err != nil {
			return nil, err
		}
		if start.After(begin) {
			times = append(times, time.Since(start))
		}
	}
}

func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

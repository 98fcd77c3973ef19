// Command immudb-peer sets keys in an embedded immudb store, synced, from clients in this process,
// each asking again as soon as it was answered, and prints what it measured as one line of JSON.
//
// It is the other side of `cargo xtask bench ledger --immudb PATH`.
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

	"github.com/codenotary/immudb/embedded/store"
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
	dir := flag.String("dir", "", "directory of the store, made if it is not there")
	clients := flag.Int("clients", 64, "how many clients ask at once")
	size := flag.Int("bytes", 512, "bytes of a value")
	seconds := flag.Float64("seconds", 2, "how long to measure")
	warm := flag.Float64("warm", 0.3, "how long to ask before that")
	frequency := flag.Duration("frequency", time.Millisecond, "how often the store syncs")
	wait := flag.String("wait", "durable", "durable: the transaction is synced")
	flag.Parse()
	if *wait != "durable" {
		fmt.Fprintln(os.Stderr, "error: there is nothing else to wait for than `durable`")
		os.Exit(2)
	}
	if err := run(*dir, *clients, *size, *seconds, *warm, *frequency); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
}

func run(dir string, clients, size int, seconds, warm float64, frequency time.Duration) error {
	ctx := context.Background()
	options := store.DefaultOptions().
		WithSynced(true).
		WithSyncFrequency(frequency).
		WithMaxConcurrency(4 * clients)
	log, err := store.Open(dir, options)
	if err != nil {
		return err
	}
	add := func(entry []byte) error {
		tx, err := log.NewWriteOnlyTx(ctx)
		if err != nil {
			return err
		}
		// The first bytes are drawn for each entry: no key is set twice.
		if err := tx.Set(entry[:16], nil, entry); err != nil {
			return err
		}
		_, err = tx.Commit(ctx)
		return err
	}
	measured, err := measure(add, clients, size, seconds, warm)
	if err != nil {
		return err
	}
	measured.Name = fmt.Sprintf("immudb v1.11.1 embedded (sync every %v)", frequency)
	measured.Answer = "durable transaction"
	if err := log.Close(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(measured)
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

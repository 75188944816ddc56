// Children from all threads at once, while the others allocate and use files. Arguments: a program like
// this one to start, and an empty directory.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
)

const goroutines, rounds = 8, 20

func work(program, dir string, g int) {
	for i := 0; i < rounds; i++ {
		path := fmt.Sprintf("%s/%d-%d", dir, g, i)
		out, err := exec.Command(program, path).CombinedOutput()
		text, readErr := os.ReadFile(path)
		if err != nil || readErr != nil || string(out) != "child\n" || string(text) != path {
			fmt.Println("failed:", err, readErr, string(out), string(text))
			os.Exit(1)
		}
		var blocks [][]byte
		for size := 1000; size < 1300; size++ {
			blocks = append(blocks, make([]byte, size))
		}
		if len(blocks[7]) != 1007 {
			fmt.Println("memory is damaged")
		}
	}
}

func main() {
	if len(os.Args) == 2 {
		if os.WriteFile(os.Args[1], []byte(os.Args[1]), 0644) == nil {
			fmt.Println("child")
		}
		return
	}
	var wait sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		wait.Add(1)
		go func(g int) {
			defer wait.Done()
			work(os.Args[1], os.Args[2], g)
		}(g)
	}
	wait.Wait()
	entries, err := os.ReadDir(os.Args[2])
	fmt.Println(len(entries), err)
}

// Files from 500 goroutines, children, and the program itself once more: prints what it found, which
// depends on nothing but the file system. Argument: an empty directory.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
)

const goroutines, rounds = 500, 10

func must(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func work(dir string, g int) {
	path := fmt.Sprintf("%s/a/f%03d", dir, g)
	text := strings.Repeat(fmt.Sprint(g, " "), 500)
	for r := 0; r < rounds; r++ {
		must(os.WriteFile(path, []byte(text), 0644))
		back, err := os.ReadFile(path)
		must(err)
		status, err := os.Stat(path)
		must(err)
		if string(back) != text || status.Size() != int64(len(text)) {
			fmt.Println(path, "holds something else")
		}
		must(os.Rename(path, path+".x"))
		must(os.Rename(path+".x", path))
		if r == 3 && g%10 == 0 {
			runtime.GC()
		}
	}
	if g%25 == 0 {
		out, err := exec.Command("cat", path).Output()
		must(err)
		if string(out) != text {
			fmt.Println("cat shows something else")
		}
	}
}

func main() {
	dir := os.Args[1]
	must(os.MkdirAll(dir+"/a/b", 0755))
	var wait sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		wait.Add(1)
		go func(g int) {
			defer wait.Done()
			work(dir, g)
		}(g)
	}
	wait.Wait()
	entries, err := os.ReadDir(dir + "/a")
	must(err)
	fmt.Println(len(entries), entries[0].Name(), entries[len(entries)-1].Name())
	from, err := os.Open(dir + "/a/f007")
	must(err)
	to, err := os.Create(dir + "/copy")
	must(err)
	copied, err := io.Copy(to, from)
	must(err)
	to.Close()
	fmt.Println("copied", copied)
	var names []string
	must(filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		names = append(names, strings.TrimPrefix(path, dir))
		return err
	}))
	sort.Strings(names)
	fmt.Println(len(names), names[:4])
	if len(os.Args) == 2 {
		self := exec.Command("/proc/self/exe", dir+"/again", "no further")
		self.Stdout, self.Stderr = os.Stdout, os.Stderr
		must(self.Run())
	}
	program, err := os.Executable()
	must(err)
	fmt.Println(filepath.Base(program))
	must(os.Chdir(dir))
	cwd, err := os.Getwd()
	must(err)
	fmt.Println(cwd == dir)
	out, err := exec.Command("sh", "-c", "ls | sort | tr '\\n' ' '; echo made > made").Output()
	must(err)
	fmt.Println(string(out))
	must(os.RemoveAll(dir + "/a"))
}

# Python's two libraries for inotify.
/usr/bin/python3 -B - <<'P'
import os, time, pyinotify
wm = pyinotify.WatchManager()
class Handler(pyinotify.ProcessEvent):
    def process_default(self, event): print(event.maskname, event.name, event.dir)
notifier = pyinotify.Notifier(wm, Handler(), timeout=10)
os.mkdir("py")
print(wm.add_watch("py", pyinotify.ALL_EVENTS, rec=True, auto_add=True))
def turn():
    while notifier.check_events(100):
        notifier.read_events(); notifier.process_events()
with open("py/a", "w") as f: f.write("x")
os.rename("py/a", "py/b"); os.chmod("py/b", 0o600); turn()
os.mkdir("py/d"); turn()
open("py/d/x", "w").close(); turn()
os.unlink("py/d/x"); os.rmdir("py/d"); os.unlink("py/b"); turn()
wm.rm_watch(list(wm.watches), rec=False); notifier.stop()
P
/usr/bin/python3 -B - <<'P'
import os, time
from watchdog.observers import Observer
from watchdog.events import FileSystemEventHandler
seen = []
class Handler(FileSystemEventHandler):
    def on_any_event(self, event): seen.append((event.event_type, event.src_path, event.is_directory))
os.mkdir("dog"); os.mkdir("dog/sub")
observer = Observer(); observer.schedule(Handler(), "dog", recursive=True); observer.start()
time.sleep(0.3)
with open("dog/sub/file", "w") as f: f.write("x")
time.sleep(0.8)
os.rename("dog/sub/file", "dog/file"); time.sleep(0.8)
os.mkdir("dog/late"); time.sleep(0.5)
open("dog/late/in", "w").close(); time.sleep(0.8)
os.unlink("dog/late/in"); os.rmdir("dog/late"); time.sleep(0.8)
observer.stop(); observer.join()
for event in seen: print(*event)
P
echo scenario complete

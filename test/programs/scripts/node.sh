cat > sync.mjs <<'END'
import fs from 'node:fs';
import path from 'node:path';
const attempt = (f, ...a) => { try { return f(...a); } catch (e) { return `${e.code} ${e.syscall} ${e.path}`; } };
fs.mkdirSync('a/b/c', { recursive: true }); fs.writeFileSync('a/text', 'hello\n'); fs.appendFileSync('a/text', 'world\n');
console.log(fs.readFileSync('a/text', 'utf8'), fs.statSync('a/text').size, fs.existsSync('a/none'), fs.readdirSync('a'));
const stat = fs.statSync('a/text', { bigint: true }); console.log(stat.mode, stat.nlink, stat.isFile(), fs.lstatSync('a').isDirectory());
fs.symlinkSync('text', 'a/link'); fs.linkSync('a/text', 'a/hard'); console.log(fs.readlinkSync('a/link'), fs.realpathSync('a/link'), fs.realpathSync.native('a/link'), fs.statSync('a/hard').nlink);
fs.copyFileSync('a/text', 'a/copy'); fs.copyFileSync('a/text', 'a/copy2', fs.constants.COPYFILE_FICLONE); fs.cpSync('a', 'z', { recursive: true }); console.log(fs.readdirSync('z', { recursive: true }).sort(), fs.readdirSync('a', { withFileTypes: true }).map((e) => e.name + e.isDirectory() + e.isSymbolicLink()).sort());
fs.renameSync('z', 'y'); fs.rmSync('y', { recursive: true }); fs.chmodSync('a/copy', 0o600); fs.utimesSync('a/copy', 1, 2.5); console.log(fs.statSync('a/copy').mtimeMs, fs.statSync('a/copy').mode.toString(8)); fs.truncateSync('a/copy', 3); console.log(fs.readFileSync('a/copy', 'latin1'));
const fd = fs.openSync('fd', 'w+'); fs.writeSync(fd, 'abcdef'); const b = Buffer.alloc(4); console.log(fs.readSync(fd, b, 0, 4, 1), b.toString(), fs.fstatSync(fd).size); fs.ftruncateSync(fd, 2); fs.fsyncSync(fd); fs.writevSync(fd, [Buffer.from('1'), Buffer.from('2')], 10); console.log(fs.readvSync(fd, [Buffer.alloc(3), Buffer.alloc(30)], 0)); fs.fchmodSync(fd, 0o640); fs.futimesSync(fd, 5, 6); fs.closeSync(fd);
console.log(attempt(fs.readFileSync, 'absent'), attempt(fs.mkdirSync, 'a'), attempt(fs.rmdirSync, 'a'), attempt(fs.readdirSync, 'fd'), attempt(fs.openSync, 'fd', 'wx'), attempt(fs.readFileSync, 'a'), attempt(fs.unlinkSync, 'a'), attempt(fs.accessSync, 'fd', fs.constants.X_OK));
const temporary = fs.mkdtempSync('tmp-'); console.log(temporary.length); fs.rmdirSync(temporary); const dir = fs.opendirSync('a'); let n = 0; while (dir.readSync()) n++; dir.closeSync(); console.log(n); fs.writeFileSync('big', Buffer.alloc(5_000_000, 'x')); console.log(fs.readFileSync('big').length, fs.statfsSync('.').bsize);
process.chdir('a'); console.log(process.cwd(), path.resolve('text'), fs.readdirSync('.')); process.chdir('..');
END
cat > async.mjs <<'END'
import { createReadStream, createWriteStream } from 'node:fs';
import fs from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGzip, createGunzip } from 'node:zlib';
import { execFileSync, spawn } from 'node:child_process';
import { Worker } from 'node:worker_threads';
await fs.mkdir('p'); await Promise.all(Array.from({ length: 200 }, (_, i) => fs.writeFile(`p/${i}`, String(i).repeat(i)))); console.log((await fs.readdir('p')).length, (await Promise.all(Array.from({ length: 200 }, (_, i) => fs.readFile(`p/${i}`)))).reduce((s, b) => s + b.length, 0));
await fs.rename('p/1', 'p/one'); await fs.copyFile('p/99', 'p/copy'); console.log(await fs.stat('p/1').catch((e) => e.code), (await fs.stat('p/copy')).size); await fs.appendFile('p/one', 'more'); console.log(await fs.readFile('p/one', 'utf8'));
const h = await fs.open('handle', 'w+'); await h.write('0123456789'); console.log((await h.read(Buffer.alloc(4), 0, 4, 3)).buffer.toString(), (await h.stat()).size); await h.truncate(5); await h.datasync(); console.log(await h.readFile({ encoding: 'utf8' })); await h.close();
await fs.writeFile('lines', Array.from({ length: 5000 }, (_, i) => `line ${i}`).join('\n')); let count = 0; const lines = await fs.open('lines'); for await (const _ of lines.readLines()) count++; console.log(count);
await pipeline(createReadStream('lines'), createGzip(), createWriteStream('lines.gz')); await pipeline(createReadStream('lines.gz'), createGunzip(), createWriteStream('back')); console.log((await fs.readFile('back')).equals(await fs.readFile('lines'))); await fs.rm('lines.gz');
await pipeline(createReadStream('lines', { start: 10, end: 19, highWaterMark: 3 }), createWriteStream('part')); console.log(await fs.readFile('part', 'utf8')); await pipeline(createReadStream('part'), createWriteStream('lines', { flags: 'r+', start: 100 })); console.log((await fs.readFile('lines')).subarray(98, 112).toString());
let seen = 0; for await (const e of await fs.opendir('p')) seen += e.isFile() ? 1 : 0; console.log(seen); await fs.cp('p', 'q', { recursive: true }); console.log((await fs.readdir('q')).length); await fs.rm('q', { recursive: true }); console.log(await fs.access('q').catch((e) => e.message)); const t = await fs.mkdtemp('t-'); await fs.rmdir(t); await fs.symlink('part', 'sym'); console.log(await fs.readlink('sym'), await fs.realpath('sym')); await fs.link('part', 'hard'); await fs.chmod('hard', 0o400); await fs.utimes('hard', 10, 20); await fs.lutimes('sym', 1, 2); console.log((await fs.lstat('sym')).mtimeMs);
console.log(execFileSync('cat', ['part'], { encoding: 'utf8' }), execFileSync('pwd', { cwd: 'p', encoding: 'utf8' })); const out = await fs.open('spawned', 'w'); await new Promise((done) => spawn('sh', ['-c', 'echo spawned; pwd; ls'], { stdio: ['ignore', out.fd, 'inherit'], cwd: process.cwd() }).on('close', done)); await out.close(); console.log(await fs.readFile('spawned', 'utf8'));
await fs.writeFile('module.mjs', 'export const answer = 42;'); console.log((await import(`${process.cwd()}/module.mjs`)).answer); await fs.writeFile('cjs.cjs', 'module.exports = require("fs").readFileSync(__filename, "utf8").length'); await fs.writeFile('data.json', '{"a":1}'); const { createRequire } = await import('node:module'); console.log(createRequire(`${process.cwd()}/x`)('./cjs.cjs'), createRequire(`${process.cwd()}/x`)('./data.json'));
await new Promise((done) => new Worker('require("fs").writeFileSync("by-worker", "w"); require("fs").mkdirSync("wd")', { eval: true }).on('exit', done)); console.log(await fs.readFile('by-worker', 'utf8')); const glob = []; for await (const f of fs.glob('p/1*')) glob.push(f); console.log(glob.length);
END
"$NODE" sync.mjs; echo $?; "$NODE" async.mjs; echo $?; "$NODE" -e 'console.log(require("fs").readdirSync(".").length)'; cd p; "$NODE" ../sync.mjs > /dev/null; echo $?; "$NODE" -p 'process.cwd()'; cd ..; "$NODE" absent.mjs 2>&1 | grep -c MODULE_NOT_FOUND; rm -rf p big
echo scenario complete

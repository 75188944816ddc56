/** The image directory, and what a program is before it is run. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inspectProgram } from '../../src/image/inspect.ts';
import {
  defaultImagesDir,
  ensureImages,
  ImageError,
  prepareImage,
  systemLibc,
} from '../../src/image/prepare.ts';

const work = mkdtempSync(join(tmpdir(), 'btfuse-prepare-'));
const path = (name: string): string => join(work, name);
const isRoot = process.getuid?.() === 0;
afterAll(() => rmSync(work, { recursive: true, force: true }));

describe('the image directory', () => {
  test('is made with its parents, and holds the two images, read-only, and nothing else', async () => {
    const image = await ensureImages(path('a/b/images'));
    expect(statSync(path('a/b/images')).mode & 0o777).toBe(0o755);
    expect(statSync(image).mode & 0o777).toBe(0o555);
    expect(readdirSync(path('a/b/images'))).toHaveLength(2);
  });

  test('an existing image is kept, a damaged one is made again', async () => {
    const image = await ensureImages(path('again'));
    const first = statSync(image).ino;
    expect(await ensureImages(path('again'))).toBe(image);
    expect(statSync(image).ino).toBe(first);
    const whole = readFileSync(image);
    chmodSync(image, 0o755);
    writeFileSync(image, Buffer.from(whole).fill(0x90, 5000, 5001));
    await ensureImages(path('again'));
    expect(readFileSync(image).equals(whole)).toBe(true);
    expect(readdirSync(path('again'))).toHaveLength(2);
  });

  test('an image opens to those to whom its object is open', async () => {
    const object = path('closed.so');
    copyFileSync(systemLibc(), object);
    const modes: number[] = [];
    for (const mode of [0o700, 0o750]) {
      chmodSync(object, mode);
      const image = await prepareImage(object, path(`closed-${mode}`));
      modes.push(statSync(image).mode & 0o777);
    }
    expect(modes).toEqual([0o500, 0o550]);
    chmodSync(object, 0o755);
    const image = await prepareImage(object, path(`closed-${0o700}`));
    expect(statSync(image).mode & 0o777).toBe(0o555);
  });

  test.each<[string, RegExp, () => string]>([
    ['relative', /is not an absolute path/, () => 'images'],
    [
      'writable by others',
      /can be written by others/,
      () => {
        mkdirSync(path('open'));
        chmodSync(path('open'), 0o777);
        return path('open');
      },
    ],
    [
      'a symbolic link',
      /is not a directory/,
      () => {
        mkdirSync(path('real'));
        symlinkSync(path('real'), path('link'));
        return path('link');
      },
    ],
    [
      'below a file',
      /cannot be made/,
      () => {
        writeFileSync(path('file'), '');
        return path('file/images');
      },
    ],
  ])('%s: refused', async (_, message, make) => {
    const directory = make();
    const attempt = ensureImages(directory);
    await expect(attempt).rejects.toThrow(message);
    await expect(attempt).rejects.toBeInstanceOf(ImageError);
  });

  test('of somebody else: refused', { skip: !isRoot }, async () => {
    mkdirSync(path('foreign'));
    execFileSync('chown', ['12345', path('foreign')]);
    await expect(ensureImages(path('foreign'))).rejects.toThrow(/belongs to user 12345/);
  });

  test('an image that is a symbolic link is replaced, not followed', async () => {
    const image = await ensureImages(path('linked'));
    const elsewhere = path('elsewhere.img');
    copyFileSync(image, elsewhere);
    rmSync(image);
    symlinkSync(elsewhere, image);
    await ensureImages(path('linked'));
    expect(statSync(image, { bigint: false }).ino).not.toBe(statSync(elsewhere).ino);
  });

  test.each([
    ['/nonexistent', /cannot be prepared: ENOENT/],
    ['/etc/passwd', /cannot be prepared: it is no ELF file\.$/],
    ['/dev/zero', /cannot be prepared: it is no regular file\.$/],
  ])('the object %s', async (object, message) => {
    await expect(prepareImage(object, path('objects'))).rejects.toThrow(message);
  });

  test('a pipe with nobody at its other end does not hold the server up', async () => {
    execFileSync('mkfifo', [path('pipe')]);
    await expect(prepareImage(path('pipe'), path('objects'))).rejects.toThrow(/no regular file/);
  });

  test('the default place is absolute, and libc is found', () => {
    expect(defaultImagesDir()).toMatch(/^\/.*btfuse\/images$/);
    expect(systemLibc()).toMatch(/^\/.*\/libc\.so\.6$/);
  });
});

describe('what a program is', () => {
  beforeAll(() => {
    writeFileSync(path('main.c'), 'int main(void) { return 0; }\n');
    execFileSync('gcc', ['-o', path('dynamic'), path('main.c')]);
    execFileSync('gcc', ['-static', '-o', path('static'), path('main.c')]);
    writeFileSync(path('script'), '#! /bin/sh -e\n');
    writeFileSync(path('text'), 'hello');
    const arm = readFileSync(path('dynamic'));
    arm.writeUInt16LE(183, 18);
    writeFileSync(path('arm'), arm);
    const narrow = readFileSync(path('dynamic'));
    narrow[4] = 1;
    writeFileSync(path('narrow'), narrow);
  });

  test.each([
    ['dynamic', { kind: 'dynamic', interpreter: '/lib64/ld-linux-x86-64.so.2' }],
    ['static', { kind: 'static' }],
    ['script', { kind: 'script', interpreter: '/bin/sh' }],
    ['text', { kind: 'not-elf' }],
    ['arm', { kind: 'other-arch' }],
    ['narrow', { kind: 'other-arch' }],
  ])('%s', (name, expected) => {
    expect(inspectProgram(path(name))).toMatchObject(expected);
  });

  test('setuid, where it would change the user', { skip: !isRoot }, () => {
    copyFileSync(path('dynamic'), path('setuid'));
    execFileSync('chown', ['12345', path('setuid')]);
    chmodSync(path('setuid'), 0o4755);
    expect(inspectProgram(path('setuid')).kind).toBe('setuid');
    execFileSync('chown', ['0', path('setuid')]);
    chmodSync(path('setuid'), 0o4755);
    expect(inspectProgram(path('setuid')).kind).toBe('dynamic');
  });
});

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { schemaHash } from '../../ringbuf/generate.ts';
import { SCHEMA_HASH, VERSION } from '../../ringbuf/layout.gen.ts';
import { native } from '../../ringbuf/native.ts';
import { structs } from '../../ringbuf/schema.ts';

test('the C++ compiler places every field where the schema says', () => {
  const expected: Record<string, number> = {};
  for (const struct of structs) {
    expected[struct.name] = struct.size;
    for (const field of struct.fields) expected[`${struct.name}.${field.name}`] = field.offset;
  }
  expect(native().offsets).toEqual(expected);
});

test('addon, generated TypeScript and schema are of one version', () => {
  expect(native().schemaHash).toBe(SCHEMA_HASH);
  expect(schemaHash()).toBe(SCHEMA_HASH);
  expect(native().version).toBe(VERSION);
});

test('generated files are current', () => {
  const generate = fileURLToPath(new URL('../../ringbuf/generate.ts', import.meta.url));
  execFileSync(process.execPath, [generate, '--check']);
});

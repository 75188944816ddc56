/**
 * Names are bytes. On their way to a terminal control bytes and bytes that are no UTF-8 are escaped as
 * bash's $'…' reads them, so that no file name can move the cursor or fake a line.
 */

const NAMED: Readonly<Record<number, string>> = {
  9: '\\t',
  10: '\\n',
  13: '\\r',
  27: '\\e',
  92: '\\\\',
};

/** Bytes → printable text. */
export function escapeName(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = buffer.toString('utf8');
  // Where decoding lost something the name is no UTF-8: show it byte by byte.
  if (!Buffer.from(text, 'utf8').equals(buffer)) {
    return [...buffer].map((byte) => (byte < 0x80 ? escapeCharacter(byte) : octal(byte))).join('');
  }
  return escapeText(text);
}

/** The same for text. C1 controls and the marks that reverse writing are escaped too. */
export function escapeText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\\]/gu, (character) => {
    const code = character.codePointAt(0)!;
    if (code < 0x80) return escapeCharacter(code);
    return [...Buffer.from(character, 'utf8')].map(octal).join('');
  });
}

function escapeCharacter(code: number): string {
  const named = NAMED[code];
  if (named !== undefined) return named;
  return code < 0x20 || code === 0x7f ? octal(code) : String.fromCharCode(code);
}

function octal(byte: number): string {
  return `\\${byte.toString(8).padStart(3, '0')}`;
}

/** A word as a POSIX shell reads it back. */
export function shellQuote(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

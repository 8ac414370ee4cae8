/** Quotes text, most often of a log, that came where a length should be: it says more than the number that it makes. */

/** How much of it is shown. */
const SHOWN_CHARACTERS = 60
/** What text is made of besides printable characters: tab, LF, CR, and the ESC that colours begin with. */
const LAYOUT = ['\t', '\n', '\r', '\x1b']
/** Controls, formats that change the direction of what follows, separators of lines, halves of pairs, unassigned. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u
const NAMED: Readonly<Record<string, string>> = {
  '\t': String.raw`\t`,
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
  '"': String.raw`\"`,
  '\\': String.raw`\\`,
}

/** The text that these bytes begin, in quotes on one line; undefined: they are no text. The last one may be cut. */
export function quoteText(bytes: Uint8Array): string | undefined {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true })
  } catch {
    return undefined
  }
  const characters = Array.from(text)
  if (characters.length === 0 || !characters.every(isOfText)) return undefined
  const shown = characters.slice(0, SHOWN_CHARACTERS).map(escape).join('')
  return `"${shown}${characters.length > SHOWN_CHARACTERS ? '…' : ''}"`
}

function isOfText(character: string): boolean {
  return !/[\p{Cc}\p{Cn}]/u.test(character) || LAYOUT.includes(character)
}

function escape(character: string): string {
  const named = NAMED[character]
  if (named !== undefined) return named
  if (!UNPRINTABLE.test(character)) return character
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}

/** Which subjects the bridges of one name use, and which names may be had. */
import { randomBytes } from 'node:crypto'

/** Tokens of letters, digits, `-` and `_`: nothing that NATS reads as a pattern, and nothing that ends a line. */
const SUBJECT = /^[\w-]+(?:\.[\w-]+)*$/
const LONGEST = 200

export function isSubject(value: unknown): value is string {
  return typeof value === 'string' && value.length <= LONGEST && SUBJECT.test(value)
}

/** What a subject has to be, for messages. */
export const SUBJECT_RULE =
  'a subject of at most 200 characters: words of letters, digits, - and _, separated by dots, without wildcards'

/** One word of a subject that nobody can guess. */
export function randomWord(): string {
  return randomBytes(12).toString('base64url')
}

/** Where connections are asked for. */
export function openSubject(subject: string): string {
  return `${subject}.open`
}

/** Where one bridge hears of one connection; `*`: of all. */
export function bridgeSubject(subject: string, bridge: string, connection: string): string {
  return `${subject}.to.${bridge}.${connection}`
}

/** The name of the connection that a message is for: the last word of its subject. */
export function lastWord(subject: string): string {
  return subject.slice(subject.lastIndexOf('.') + 1)
}

/** Whether a bridge of this subject can be asked there: others may write anything into a message. */
export function isBridgeSubject(value: unknown, subject: string): value is string {
  return isSubject(value) && value.startsWith(`${subject}.to.`)
}

/** What an option of a command line is: how it is read, and what the help says of it. */
import type { Reader } from './reader.js'

export interface Option<T> {
  readonly read: Reader<T>
  /** A value, as the help shows it: the default where there is one. Empty: it takes none. */
  readonly value: string
  readonly help: string
}

export type Options = Readonly<Record<string, Option<unknown>>>

/** The values of the options that were given. */
export type Given<Of extends Options> = {
  readonly [Name in keyof Of]?: Of[Name] extends Option<infer T> ? T : never
}

export function option<T>(read: Reader<T>, value: string, help: string): Option<T> {
  return { read, value, help }
}

/** An option without a value: true where it is given. */
export function flag(help: string): Option<true> {
  return { read: () => true, value: '', help }
}

/** The same option, of which a command shows another value or says something else. */
export function as<T>(option: Option<T>, value: string, help = option.help): Option<T> {
  return { ...option, value, help }
}

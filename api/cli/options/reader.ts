/** How the text of an option becomes a value. */
import { statSync } from 'node:fs'
import { dirname } from 'node:path'

export interface Reader<T> {
  /** @throws {Unfit} */
  (text: string): T
  /** All that it takes, where that is a few words. */
  readonly words?: readonly string[]
}

/** The message says what a value has to be, or all that there is to say: then it does not show what was given. */
export class Unfit extends Error {
  readonly saysAll: boolean

  constructor(message: string, { saysAll = false } = {}) {
    super(message)
    this.saysAll = saysAll
  }
}

export function integer(from: number, to: number): Reader<number> {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN
    if (value >= from && value <= to) return value
    throw new Unfit(`one whole number from ${String(from)} to ${String(to)}`)
  }
}

export function number(from: number, to: number): Reader<number> {
  return (text) => {
    const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : NaN
    if (value >= from && value <= to) return value
    throw new Unfit(`one number from ${String(from)} to ${String(to)}`)
  }
}

export function oneOf<const Name extends string>(names: readonly Name[]): Reader<Name> {
  const read = (text: string): Name => {
    const name = names.find((known) => known === text)
    if (name !== undefined) return name
    throw new Unfit(`one of ${names.join(', ')}`)
  }
  return Object.assign(read, { words: names })
}

export function list<T>(read: Reader<T>): Reader<readonly T[]> {
  return (text) => {
    try {
      return text.split(',').map(read)
    } catch (error) {
      if (error instanceof Unfit) throw new Unfit(`a list like a,b of which each is ${error.message}`)
      throw error
    }
  }
}

export function wakePolicy(text: string): 'adaptive' | 'park' | { readonly spinMicros: number } {
  if (text === 'adaptive' || text === 'park') return text
  try {
    return { spinMicros: integer(0, 1_000_000)(text) }
  } catch {
    throw new Unfit('adaptive, park, or microseconds from 0 to 1000000')
  }
}

export function newFile(text: string): string {
  if (text !== '' && statSync(dirname(text), { throwIfNoEntry: false })?.isDirectory() === true) return text
  throw new Unfit('a file in a folder that is there')
}

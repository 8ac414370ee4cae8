/** Values of a caller's in messages, events and traces: what kind they are, and nothing that could be a secret. */
import { TransportError } from './errors.js'

/** Neither null nor an array. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !isArray(value)
}

/** A proxy that was revoked throws where it is asked. */
export function isArray(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value)
  } catch {
    return false
  }
}

/** A value in a message: its kind, and of it only what cannot be a secret. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'nothing'
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'boolean':
      return String(value)
    case 'string':
      return value === '' ? 'an empty string' : 'a string'
    case 'object':
      return value === null ? 'null' : isArray(value) ? 'an array' : 'an object'
    default:
      return `a ${typeof value}`
  }
}

/** As `describe()`, where even a number may be a secret: one that stands where text belongs. */
export function kindOf(value: unknown): string {
  return typeof value === 'number' || typeof value === 'boolean' ? `a ${typeof value}` : describe(value)
}

/** An error in a trace or a warning: its kind. Its message may quote what a host has sent or received. */
export function nameOf(error: unknown): string {
  if (error instanceof TransportError) return error.code
  if (!(error instanceof Error)) return `${describe(error)} that was thrown`
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'string' ? `${error.name} ${code}` : error.name
}

/** Where an error was made, without what it says. */
export function placeOf(error: unknown): string {
  const stack = error instanceof Error ? error.stack : undefined
  if (typeof stack !== 'string') return ''
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n')
}

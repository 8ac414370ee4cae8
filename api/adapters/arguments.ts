/** What an adapter is given in place of what it adapts: most often a promise that nobody awaited. */
import { describe } from '../../engine/common/describe.js'
import { TransportError } from '../../engine/protocol/errors.js'

/** @throws {TransportError} ERR_INVALID_OPTION */
export function assertConnection(value: unknown, where: string): void {
  if (!has(value, 'send', 'receive', 'destroy')) throw wrong(value, where, 'a connection')
}

/** @throws {TransportError} ERR_INVALID_OPTION */
export function assertTransport(value: unknown, where: string, method: 'connect' | 'listen'): void {
  if (!has(value, method)) throw wrong(value, where, 'what engine.transport() has returned')
}

function has(value: unknown, ...methods: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return methods.every((method) => typeof (value as Readonly<Record<string, unknown>>)[method] === 'function')
}

function wrong(value: unknown, where: string, expected: string): TransportError {
  const got = has(value, 'then') ? 'a promise: await it first' : describe(value)
  return new TransportError('ERR_INVALID_OPTION', `${where}: expected ${expected}, got ${got}.`)
}

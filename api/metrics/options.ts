/** Checks of what hosts give to the adapters here. */
import { isObject } from '../../engine/common/describe.js'
import { flagCheck } from '../../engine/common/option-checks.js'
import { readOptions, type Checks } from '../../engine/common/option-problems.js'
import { TransportError } from '../../engine/protocol/errors.js'
import type { ObservedEngine } from './engine-source.js'
import type { Labels } from './metric.js'
import { metrics } from './table.js'

export const DEFAULT_PREFIX = 'symphony_transport'

const NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const taken = new Set(['engine', 'endpoint', ...metrics.flatMap(({ labels = [] }) => labels)])

/** Of options that name an engine. */
const engineChecks = {
  name: (value: unknown) => (typeof value === 'string' && value !== '' ? undefined : 'a string that is not empty'),
} satisfies Checks

export const commonChecks = {
  ...engineChecks,
  prefix: (value: unknown) =>
    typeof value === 'string' && NAME.test(value) ? undefined : 'letters, digits and _, and no digit first',
  endpoints: flagCheck,
} satisfies Checks

export function checkLabels(value: unknown): string | undefined {
  if (!isObject(value) || Object.values(value).some((text) => typeof text !== 'string')) return 'an object of strings'
  const keys = Object.keys(value)
  if (keys.some((key) => !NAME.test(key))) return 'names of letters, digits and _'
  return keys.some((key) => taken.has(key)) ? `other names than ${[...taken].join(', ')}` : undefined
}

/** An object with these methods. */
export function has(...methods: readonly string[]): (value: unknown) => string | undefined {
  return (value) =>
    (isObject(value) || typeof value === 'function') &&
    methods.every((method) => typeof (value as Readonly<Record<string, unknown>>)[method] === 'function')
      ? undefined
      : `an object that has ${methods.join(', ')}`
}

/** @throws {TransportError} ERR_INVALID_OPTION */
export function assertEngine(engine: unknown, where: string): asserts engine is ObservedEngine {
  if (isObject(engine) && typeof engine['id'] === 'string' && typeof engine['stats'] === 'function') return
  throw new TransportError('ERR_INVALID_OPTION', `${where}: the first argument must be an engine of createEngine().`)
}

export function readNamed(options: unknown, engine: ObservedEngine, where: string): string {
  return readOptions<{ readonly name?: string }>(options, engineChecks, where).name ?? engine.id
}

export const NO_LABELS: Labels = {}

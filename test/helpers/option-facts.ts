/** What the schemas of options say: names, defaults and ranges, as documents write them. */
import type * as v from 'valibot'
import { LONGEST_TIMER_MS } from '../../engine/common/call-options.js'

/** The part of a valibot schema that is read. */
interface Node {
  readonly type: string
  readonly wrapped?: Node
  readonly default?: unknown
  readonly pipe?: readonly { readonly type: string; readonly requirement?: unknown }[]
  readonly options?: readonly unknown[]
  readonly entries?: Readonly<Record<string, Node>>
  readonly literal?: unknown
}

export interface OptionFacts {
  /** `restart.max`, for one that lies in another. */
  readonly path: string
  /** Undefined: there is none, or what it is cannot be said by a value. */
  readonly default: unknown
  readonly isRequired: boolean
  /** Undefined: it is no number. */
  readonly least: number | undefined
  readonly most: number | undefined
  /** Values that it can have, if they are few. */
  readonly values: readonly unknown[]
  /** The unit, and what lies in the range. */
  readonly range: string
}

/** All options of a schema that have a value of their own, also those that lie in others. */
export function factsOf(schema: v.GenericSchema): readonly OptionFacts[] {
  return readEntries(schema, '')
}

function readEntries(schema: Node, prefix: string): readonly OptionFacts[] {
  return Object.entries(schema.entries ?? {}).flatMap(([name, entry]) => {
    const path = `${prefix}${name}`
    const inner = entry.wrapped ?? entry
    const parts = inner.type === 'union' ? ((inner.options ?? []) as readonly Node[]) : [inner]
    const own = parts.filter(({ type }) => type !== 'strict_object')
    const nested = parts.flatMap((part) => readEntries(part, `${path}.`))
    return own.length === 0 ? nested : [read(path, entry, own), ...nested]
  })
}

function read(path: string, entry: Node, parts: readonly Node[]): OptionFacts {
  const [part] = parts
  const steps = part?.pipe ?? []
  const requirement = (type: string): number | undefined =>
    steps.find((step) => step.type === type)?.requirement as number | undefined
  const least = requirement('min_value')
  const most = requirement('max_value')
  const values = parts.flatMap(({ type, options = [], literal }) =>
    type === 'picklist' ? options : type === 'literal' ? [literal] : type === 'boolean' ? [true, false] : [],
  )
  const isValue = typeof entry.default !== 'object'
  return {
    path,
    default: isValue ? entry.default : undefined,
    isRequired: entry.wrapped === undefined,
    least,
    most,
    values,
    range: rangeOf(path, least, most, values),
  }
}

function rangeOf(
  path: string,
  least: number | undefined,
  most: number | undefined,
  values: readonly unknown[],
): string {
  const unit = unitOf(path)
  const isTime = most === LONGEST_TIMER_MS && unit === 'ms'
  const range =
    least === undefined || most === undefined
      ? values.map((value) => `\`${typeof value === 'string' ? `'${value}'` : String(value)}\``).join(', ')
      : isTime
        ? least === 0
          ? ''
          : `at least ${show(path, least)}`
        : `${show(path, least)} to ${show(path, most)}`
  return [unit, range].filter((text) => text !== '').join(', ')
}

/** The names of options end in their units. */
function unitOf(path: string): string {
  if (path.endsWith('Ms')) return 'ms'
  if (path.endsWith('Micros')) return 'us'
  if (path.endsWith('Bytes')) return 'bytes'
  return path.endsWith('Mb') ? 'MiB' : ''
}

/** A value as the tables of the documents write it. */
export function show(path: string, value: unknown): string {
  if (typeof value !== 'number') return `\`${typeof value === 'string' ? `'${value}'` : String(value)}\``
  if (path === 'mode' && value > 0) return `0o${value.toString(8)}`
  if (unitOf(path) !== 'bytes') return value.toLocaleString('en')
  const [scale, unit] = scales.find(([size]) => value >= size && value % size === 0) ?? [1, '']
  return `${(value / scale).toLocaleString('en')}${unit}`
}

const scales = [
  [2 ** 30, ' GiB'],
  [2 ** 20, ' MiB'],
] as const

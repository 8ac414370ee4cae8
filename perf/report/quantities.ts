/** Numbers as people read them: three digits that count, and a unit that fits. */
import type { Figure, Unit } from './figure.js'

export function formatValue(value: number, unit: Unit): string {
  switch (unit) {
    case 'ns':
      return formatTime(value)
    case 'us':
      return formatTime(value * 1e3)
    case 'ms':
      return formatTime(value * 1e6)
    case 'frames/s':
    case 'requests/s':
    case 'connections/s':
      return `${formatLarge(value)}/s`
    case 'MB/s':
      return Math.abs(value) >= 1_000 ? `${formatNumber(value / 1_000)} GB/s` : `${formatNumber(value)} MB/s`
    case 'bytes':
      return formatBytes(value)
    case '%':
      return `${formatNumber(value)} %`
    case 'count':
      return formatNumber(value)
  }
}

export function formatNumber(value: number): string {
  const size = Math.abs(value)
  if (size >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString('en')
  if (size >= 10) return value.toFixed(1)
  return size >= 1 ? value.toFixed(2) : String(Number(value.toPrecision(2)))
}

export function formatBytes(bytes: number): string {
  return scaled(bytes, 1_024, ['B', 'KiB', 'MiB', 'GiB'])
}

/** Of a value to that of the baseline. */
export function formatTimes(times: number): string {
  if (times >= 100) return `${Math.round(times).toLocaleString('en')}×`
  return times >= 10 ? `${times.toFixed(1)}×` : `${times.toFixed(2)}×`
}

/** A condition: `64 B`, `rate 1,000`, `transport unix`. */
export function formatCondition(name: string, value: number | string): string {
  return isBytes(name) ? formatConditionValue(name, value) : `${formatName(name)} ${formatConditionValue(name, value)}`
}

export function formatConditionValue(name: string, value: number | string): string {
  if (typeof value === 'string') return value
  return isBytes(name) ? formatBytes(value) : formatNumber(value)
}

/** A condition's name in words: `rateHz` is `rate hz`. */
export function formatName(name: string): string {
  return name.replace(/([a-z\d])([A-Z])/g, (_, before: string, after: string) => `${before} ${after.toLowerCase()}`)
}

export function formatConditions(at: Figure['at']): string {
  return Object.entries(at)
    .map(([name, value]) => formatCondition(name, value))
    .join(', ')
}

function isBytes(name: string): boolean {
  return /^(?:bytes|size)$|Bytes$/.test(name)
}

function formatTime(nanoseconds: number): string {
  return scaled(nanoseconds, 1_000, ['ns', 'µs', 'ms', 's'])
}

function formatLarge(value: number): string {
  return scaled(value, 1_000, ['', 'k', 'M', 'G']).trim()
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let power = 0
  let rest = value
  // With three digits, 999.9 is a thousand.
  const isTooLarge = (): boolean => Math.max(Math.abs(rest), Number(Math.abs(rest).toPrecision(3))) >= step
  while (isTooLarge() && power < units.length - 1) {
    rest /= step
    power++
  }
  return `${formatNumber(rest)} ${units[power] ?? ''}`
}

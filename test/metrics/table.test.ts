/** The table of metrics, what docs/metrics.md says of it, and the dashboard: all of them name the same. */
import fs from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { promName } from '../../api/metrics/metric.js'
import { metrics } from '../../api/metrics/table.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const read = (...path: readonly string[]): string => fs.readFileSync(join(root, ...path), 'utf8')
const PREFIX = 'symphony_transport'
const names = metrics.map((metric) => promName(PREFIX, metric))

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly type: string; readonly uid: string }
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[]
}

interface Dashboard {
  readonly schemaVersion: number
  readonly uid: string
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] }
}

const dashboard = JSON.parse(read('docs', 'dashboards', 'symphony-transport.grafana.json')) as Dashboard
const targets = dashboard.panels.flatMap((panel) => panel.targets ?? [])

test('names are those that both systems want, and each is there once', (t) => {
  t.is(new Set(names).size, names.length)
  for (const metric of metrics) {
    t.regex(metric.name, /^[a-z][a-z_]*(\.[a-z][a-z_]*)*$/)
    t.regex(metric.help, /\.$/)
    t.notRegex(metric.name, /(total|bytes|seconds|ratio)$/, 'what its kind and its unit say')
  }
})

test('docs/metrics.md has each metric, with its names, kind, unit, labels and meaning', (t) => {
  const cells = (line: string): readonly string[] =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
  const text = read('docs', 'metrics.md')
  const table = text
    .slice(text.indexOf('## All metrics'))
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  const expected = metrics.map((metric) => {
    const labels = [...(metric.labels ?? []), ...(metric.isNamed ? ['endpoint'] : [])]
    const quoted = [promName(PREFIX, metric).slice(PREFIX.length + 1), metric.name].map((name) => `\`${name}\``)
    return [...quoted, metric.kind, metric.unit, labels.map((label) => `\`${label}\``).join(', '), metric.help]
  })
  t.deepEqual(table.map(cells), expected)
})

test('what docs/metrics.md says to watch exists', (t) => {
  const text = read('docs', 'metrics.md')
  const watched = text.slice(text.indexOf('## What to watch'), text.indexOf('## Prometheus'))
  const named = [...watched.matchAll(/`([a-z]+_[a-z_]+)`/g)].map(([, name = '']) => `${PREFIX}_${name}`)
  t.true(named.length >= 10)
  t.deepEqual(
    named.filter((name) => !names.includes(name)),
    [],
  )
})

test('each metric is on the dashboard, and the dashboard has no other', (t) => {
  const named = new Set(
    targets.flatMap(({ expr }) => [...expr.matchAll(/symphony_transport_\w+/g)].map(([name]) => name)),
  )
  const histograms = new Set(
    metrics.flatMap((metric) => (metric.kind === 'histogram' ? [promName(PREFIX, metric)] : [])),
  )
  const baseOf = (name: string): string => {
    const base = name.replace(/_(bucket|count|sum)$/, '')
    return histograms.has(base) ? base : name
  }
  t.deepEqual([...new Set([...named].map(baseOf))].sort(), [...names].sort())
})

test('counters are shown by their growth, and by labels that they have', (t) => {
  const counters = metrics.filter(({ kind }) => kind === 'counter').map((metric) => promName(PREFIX, metric))
  // How often shards were started, lost and given up is so seldom that the number says more than a rate.
  const shown = new Set(
    ['shard_starts_total', 'shards_lost_total', 'shards_given_up_total'].map((name) => `${PREFIX}_${name}`),
  )
  for (const { expr } of targets) {
    for (const [, before = '', name = ''] of expr.matchAll(/(\w*)\(?(symphony_transport_\w+)/g)) {
      if (counters.includes(name) && !shown.has(name)) t.regex(before, /^(rate|increase)$/, expr)
    }
    for (const [, by = '', inner = ''] of expr.matchAll(/sum by \(([^)]*)\) \((.*?)\)/g)) {
      const name = /symphony_transport_\w+/.exec(inner)?.[0].replace(/_(bucket|count)$/, '')
      const metric = metrics.find((one) => promName(PREFIX, one) === name)
      const known = ['engine', 'le', ...(metric?.labels ?? [])]
      t.deepEqual(
        by.split(', ').filter((label) => !known.includes(label)),
        [],
        expr,
      )
    }
  }
})

test('the dashboard is one that Grafana can lay out', (t) => {
  t.true(dashboard.schemaVersion >= 36)
  t.regex(dashboard.uid, /^[\w-]{1,40}$/)
  const ids = dashboard.panels.map(({ id }) => id)
  t.is(new Set(ids).size, ids.length)
  const variables = new Set(dashboard.templating.list.map(({ name }) => name))
  const used = [...JSON.stringify(dashboard).matchAll(/\$\{?([a-z]\w*)/g)].map(([, name = '']) => name)
  t.deepEqual(
    used.filter((name) => !variables.has(name)),
    [],
  )
  const taken = new Set<string>()
  for (const { type, title, gridPos, datasource, targets: own = [] } of dashboard.panels) {
    const { x, y, w, h } = gridPos
    t.true(x >= 0 && w > 0 && x + w <= 24, title)
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        t.false(taken.has(`${String(column)} ${String(line)}`), `${title} lies on another panel`)
        taken.add(`${String(column)} ${String(line)}`)
      }
    }
    if (type === 'row') continue
    t.deepEqual(datasource, { type: 'prometheus', uid: '${datasource}' })
    t.true(own.length > 0)
    t.is(new Set(own.map(({ refId }) => refId)).size, own.length)
  }
})

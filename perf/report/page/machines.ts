/** What the figures were measured on. */
import type { MachineFacts } from '../../harness/machine.js'
import { markup, type Markup } from '../markup.js'
import { formatBytes } from '../quantities.js'
import type { Part } from './part.js'

/** Parts of one machine, whose load alone was another each time. */
interface Machine {
  readonly facts: MachineFacts
  readonly scenarios: readonly string[]
  readonly leastLoad: number
  readonly mostLoad: number
}

export function machinesOf(parts: readonly Part[]): readonly Machine[] {
  const byFacts = new Map<string, Part[]>()
  for (const part of parts) {
    const { node, platform, kernel, cpu, cpus, memoryBytes } = part.machine
    const key = JSON.stringify([node, platform, kernel, cpu, cpus, memoryBytes])
    const members = byFacts.get(key) ?? []
    byFacts.set(key, members)
    members.push(part)
  }
  return [...byFacts.values()].flatMap((members) => {
    const [first] = members
    if (first === undefined) return []
    const loads = members.map(({ machine }) => machine.loadAverage)
    return [
      {
        facts: first.machine,
        scenarios: [...new Set(members.map(({ scenario }) => scenario))],
        leastLoad: Math.min(...loads),
        mostLoad: Math.max(...loads),
      },
    ]
  })
}

/** In one line. */
export function machineLine({ cpu, cpus, platform, node }: MachineFacts): string {
  return `${String(cpus)} × ${cpu}, ${platform}, Node ${node}`
}

export function machineMarkup({ facts, scenarios, leastLoad, mostLoad }: Machine, isOnly: boolean): Markup {
  const load = leastLoad === mostLoad ? mostLoad.toFixed(1) : `${leastLoad.toFixed(1)} to ${mostLoad.toFixed(1)}`
  const rows: readonly (readonly [string, string])[] = [
    ...(isOnly ? [] : [['Scenarios', scenarios.join(', ')] as const]),
    ['Processor', facts.cpu],
    ['CPUs', String(facts.cpus)],
    ['Memory', formatBytes(facts.memoryBytes)],
    ['System', `${facts.platform}, kernel ${facts.kernel}`],
    ['Node', facts.node],
    ['Load average', load],
  ]
  return markup`<dl class="facts">${rows.map(([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`
}

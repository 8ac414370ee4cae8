/** No cycles, and no exports without a reader. Imports of types count: they too tie one file to another. */
import { dirname } from 'node:path'
import test from 'ava'
import ts from 'typescript'
import { liesIn, sources, sourcesIn, targetOf, type Source } from './helpers/sources.js'

/** Worker threads start it by its path. */
const STARTED_BY_NAME = 'workers/entry.ts'

type Graph = ReadonlyMap<string, ReadonlySet<string>>

/** One cycle for each way back that a walk along the graph finds. */
function cyclesOf(graph: Graph): readonly string[] {
  const cycles: string[] = []
  const done = new Set<string>()
  const walk = (node: string, path: readonly string[]): void => {
    const from = path.indexOf(node)
    if (from !== -1) cycles.push([...path.slice(from), node].join(' -> '))
    if (from !== -1 || done.has(node)) return
    for (const next of graph.get(node) ?? []) walk(next, [...path, node])
    done.add(node)
  }
  for (const node of graph.keys()) walk(node, [])
  return cycles
}

const files: Graph = new Map(sources.map(({ path, ours }) => [path, new Set(ours)]))

/** A folder and one that lies in it are one part. */
function foldersOf(graph: Graph): Graph {
  const folders = new Map<string, Set<string>>()
  for (const [path, targets] of graph) {
    const folder = dirname(path)
    const others = folders.get(folder) ?? new Set<string>()
    folders.set(folder, others)
    for (const other of [...targets].map(dirname))
      if (!liesIn(other, folder) && !liesIn(folder, other)) others.add(other)
  }
  return folders
}

test('a walk finds each way back', (t) => {
  const graph = new Map([
    ['a', new Set(['b', 'c'])],
    ['b', new Set(['c'])],
    ['c', new Set(['d'])],
    ['d', new Set(['b', 'e'])],
  ])
  t.deepEqual(cyclesOf(graph), ['b -> c -> d -> b'])
})

test('no file imports itself by way of others', (t) => {
  t.deepEqual(cyclesOf(files), [])
})

test('no folder imports itself by way of others', (t) => {
  t.deepEqual(cyclesOf(foldersOf(files)), [])
})

/** Functions, classes and constants that a file exports by name. */
function exportedValues({ tree }: Source): readonly string[] {
  return tree.statements.flatMap((statement) => {
    if (!ts.canHaveModifiers(statement)) return []
    const isExported = ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false
    if (!isExported) return []
    if (ts.isVariableStatement(statement))
      return statement.declarationList.declarations.map(({ name }) => name.getText())
    const isValue = ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)
    return isValue && statement.name !== undefined ? [statement.name.text] : []
  })
}

test('what a file exports is imported by another, if only by a test', (t) => {
  const imported = new Set<string>()
  for (const { path, tree } of [...sources, ...sourcesIn(['test', 'perf'])]) {
    for (const statement of tree.statements) {
      if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) continue
      const { moduleSpecifier } = statement
      if (moduleSpecifier === undefined || !ts.isStringLiteral(moduleSpecifier)) continue
      const names = ts.isImportDeclaration(statement) ? statement.importClause?.namedBindings : statement.exportClause
      const target = targetOf(path, moduleSpecifier.text)
      if (names === undefined || !('elements' in names)) continue
      for (const { propertyName, name } of names.elements) imported.add(`${target}: ${(propertyName ?? name).text}`)
    }
  }
  t.deepEqual(
    sources
      .filter(({ path }) => path !== STARTED_BY_NAME)
      .flatMap((source) => exportedValues(source).map((name) => `${source.path}: ${name}`))
      .filter((name) => !imported.has(name)),
    [],
  )
})

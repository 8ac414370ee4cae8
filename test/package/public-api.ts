/** The public API as text, read from the declarations that are packed: every export, and every member of it. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const dist = fileURLToPath(new URL('../..', import.meta.url))

export const publicApiFile = join(dist, '..', 'docs', 'public-api.txt')

/** By the name that a host imports them from. */
const entries = {
  'symphony-transport': join(dist, 'types', 'index.d.ts'),
  'symphony-transport/adapters': join(dist, 'types', 'adapters.d.ts'),
  'symphony-transport/metrics': join(dist, 'types', 'metrics.d.ts'),
  'symphony-transport/bridge-nats': join(dist, 'types', 'bridge-nats.d.ts'),
}

const UNEXPORTED = 'named by the above, and not exported'

/** Types that the exports name are in it, whether they are exported themselves or not. */
export function readPublicApi(): string {
  const program = ts.createProgram(Object.values(entries), {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
    types: ['node'],
  })
  const reader = new ApiReader(program.getTypeChecker())
  const sections = Object.entries(entries).map(([name, file]) => {
    const source = program.getSourceFile(file)
    if (source === undefined) throw new Error(`there is no ${file}. Run npm run build first.`)
    return section(name, reader.exportsOf(source))
  })
  return `${[...sections, section(UNEXPORTED, reader.unexported())].join('\n\n')}\n`
}

function section(title: string, parts: readonly string[]): string {
  return [`# ${title}`, ...parts].join('\n\n')
}

class ApiReader {
  readonly #checker: ts.TypeChecker
  /** Those that are described. */
  readonly #known = new Set<ts.Symbol>()
  /** Those that a description has named. */
  readonly #named = new Set<ts.Symbol>()
  /** Names that exports have for hosts, where their declarations have others. */
  readonly #names = new Map<ts.Symbol, string>()

  constructor(checker: ts.TypeChecker) {
    this.#checker = checker
  }

  exportsOf(source: ts.SourceFile): readonly string[] {
    const module = this.#checker.getSymbolAtLocation(source)
    const symbols = module === undefined ? [] : this.#checker.getExportsOfModule(module)
    for (const symbol of symbols) this.#names.set(this.#resolve(symbol), symbol.name)
    return this.#describe(symbols.map((symbol) => this.#resolve(symbol)))
  }

  unexported(): readonly string[] {
    const parts: string[] = []
    for (;;) {
      const rest = [...this.#named].filter((symbol) => !this.#known.has(symbol))
      if (rest.length === 0) return parts
      parts.push(...this.#describe(rest))
    }
  }

  #resolve(symbol: ts.Symbol): ts.Symbol {
    return symbol.flags & ts.SymbolFlags.Alias ? this.#checker.getAliasedSymbol(symbol) : symbol
  }

  #nameOf(symbol: ts.Symbol): string {
    return this.#names.get(symbol) ?? symbol.name
  }

  #describe(symbols: readonly ts.Symbol[]): readonly string[] {
    for (const symbol of symbols) this.#known.add(symbol)
    return [...symbols]
      .sort((one, other) => (this.#nameOf(one) < this.#nameOf(other) ? -1 : 1))
      .flatMap((symbol) =>
        (symbol.declarations ?? []).map((declaration) => this.#declaration(this.#nameOf(symbol), declaration)),
      )
  }

  #declaration(name: string, node: ts.Declaration): string {
    this.#collectNames(node)
    if (ts.isTypeAliasDeclaration(node)) return `type ${name}${parametersOf(node)} = ${this.#type(node.type)}`
    if (!ts.isInterfaceDeclaration(node) && !ts.isClassDeclaration(node)) return textOf(node)
    const { members, heritageClauses = [] } = node
    const kind = ts.isClassDeclaration(node) ? 'class' : 'interface'
    const head = [kind, `${name}${parametersOf(node)}`, ...heritageClauses.map(textOf)].join(' ')
    const lines = members.filter((member) => !isPrivate(member)).map((member) => this.#member(member))
    return [head, ...[...lines, ...this.#mapped(node)].map((line) => `  ${line}`)].join('\n')
  }

  #member(member: ts.TypeElement | ts.ClassElement): string {
    if (!ts.isPropertySignature(member) || member.type === undefined) return textOf(member)
    const readonly = member.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ReadonlyKeyword) ? 'readonly ' : ''
    const optional = member.questionToken === undefined ? '' : '?'
    return `${readonly}${textOf(member.name)}${optional}: ${this.#type(member.type)}`
  }

  /** As it is written; what it takes from another type or from a value is written out. */
  #type(node: ts.TypeNode): string {
    if (!has(node, takesFromElsewhere)) return textOf(node)
    const type = this.#checker.getTypeFromTypeNode(node)
    const parts = type.isUnion() ? type.types : [type]
    return parts.map((part) => this.#checker.typeToString(part, undefined, ts.TypeFormatFlags.NoTruncation)).join(' | ')
  }

  /** Properties by way of a mapped type. */
  #mapped(node: ts.InterfaceDeclaration | ts.ClassDeclaration): readonly string[] {
    const type = this.#checker.getTypeAtLocation(node)
    return this.#checker
      .getPropertiesOfType(type)
      .filter(({ declarations = [] }) => declarations.length === 0)
      .map((property) => {
        const text = this.#checker.typeToString(this.#checker.getTypeOfSymbol(property))
        return `${property.name}: ${text}`
      })
  }

  #collectNames(node: ts.Node): void {
    if (takesFromElsewhere(node) || isPrivate(node)) return
    if (ts.isTypeReferenceNode(node)) this.#add(node.typeName)
    else if (ts.isExpressionWithTypeArguments(node)) this.#add(node.expression)
    ts.forEachChild(node, (child) => {
      this.#collectNames(child)
    })
  }

  #add(name: ts.Node): void {
    const symbol = this.#checker.getSymbolAtLocation(name)
    if (symbol === undefined) return
    const named = this.#resolve(symbol)
    const isOurs = (named.declarations ?? []).some(
      (node) => !ts.isTypeParameterDeclaration(node) && !/[\\/]node_modules[\\/]/.test(node.getSourceFile().fileName),
    )
    if (isOurs) this.#named.add(named)
  }
}

function parametersOf({ typeParameters = [] }: { readonly typeParameters?: readonly ts.Node[] | undefined }): string {
  return typeParameters.length === 0 ? '' : `<${typeParameters.map(textOf).join(', ')}>`
}

function takesFromElsewhere(node: ts.Node): boolean {
  return ts.isTypeQueryNode(node) || ts.isIndexedAccessTypeNode(node)
}

function has(node: ts.Node, test: (node: ts.Node) => boolean): boolean {
  return test(node) || ts.forEachChild(node, (child) => has(child, test) || undefined) === true
}

function isPrivate(node: ts.Node): boolean {
  if (!ts.isPropertyDeclaration(node)) return false
  return ts.isPrivateIdentifier(node.name)
}

const printer = ts.createPrinter({ removeComments: true })

/** On one line, without comments. */
function textOf(node: ts.Node): string {
  return printer
    .printNode(ts.EmitHint.Unspecified, node, node.getSourceFile())
    .replace(/^\s*(?:export )?(?:declare )?/, '')
    .replace(/;$/, '')
    .replaceAll(/\s+/g, ' ')
}

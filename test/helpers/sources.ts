/** The source files of the package, and what each imports. */
import fs from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export const root = fileURLToPath(new URL('../../..', import.meta.url))

export const roots = ['api', 'engine', 'workers']

export interface Tree {
  /** From the repository's root. */
  readonly path: string
  readonly tree: ts.SourceFile
}

export interface Source extends Tree {
  /** Names as they are written. */
  readonly imports: readonly string[]
  /** Our own files among them, from the repository's root. */
  readonly ours: readonly string[]
  /** Packages among them; Node's own modules are not looked at. */
  readonly packages: readonly string[]
}

/** The file that a relative import leads to, from the repository's root. */
export function targetOf(path: string, name: string): string {
  return relative(root, resolve(root, dirname(path), name)).replace(/\.js$/, '.ts')
}

const parsing = {
  languageVersion: ts.ScriptTarget.Latest,
  jsDocParsingMode: ts.JSDocParsingMode.ParseNone,
}

/** All files of some folders. */
export const treesIn = (folders: readonly string[]): readonly Tree[] =>
  folders.flatMap((folder) =>
    fs
      .readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => {
        const path = join(folder, name)
        const text = fs.readFileSync(join(root, path), 'utf8')
        return { path, tree: ts.createSourceFile(path, text, parsing, true) }
      }),
  )

function withImports({ path, tree }: Tree): Source {
  const imports = ts.preProcessFile(tree.text, true, true).importedFiles.map(({ fileName }) => fileName)
  const ours = imports.filter((name) => name.startsWith('.')).map((name) => targetOf(path, name))
  const packages = imports.filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
  return { path, tree, imports, ours, packages }
}

export const sources = treesIn(roots).map(withImports)

/** Whether a path is this folder or file, or lies in it. */
export function liesIn(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}

import { describe, expect, it } from 'vitest'
import { readQueryTree, readStatements } from '../../src/catalog/query-tree.ts'

describe('the tree of a query', () => {
  it('names the relations that it reads and the parameters that it uses, at any depth', () => {
    const tree =
      '(({QUERY :rtable ({RANGETBLENTRY :rtekind 0 :relid 16384 :relkind r} {RANGETBLENTRY :rtekind 1 :relid 0 :subquery {QUERY :rtable ({RANGETBLENTRY :relid 16390}) :quals {OPEXPR :args ({PARAM :paramkind 0 :paramid 2 :paramtype 20} {PARAM :paramkind 2 :paramid 1})}}})}))'
    expect(readQueryTree(tree)).toEqual({ relations: [16384, 16390], parameters: [2] })
  })

  it('knows more than nine parameters', () => {
    expect(readQueryTree('({PARAM :paramkind 0 :paramid 12 :paramtype 20})').parameters).toEqual([12])
  })

  it('says what a statement is as a whole, whatever stands within it', () => {
    const query = (fields: string) => `{QUERY :commandType 1 :querySource 0 ${fields} :stmt_len 0}`
    const limited = query(':limitOffset <> :limitCount {FUNCEXPR :args ({CONST})} :rowMarks <>')
    const plain = (inner = '') => query(`:rtable (${inner}) :limitOffset <> :limitCount <> :rowMarks <>`)
    const is = { isSelect: true, cutsRows: false, locksRows: false }
    expect(readStatements(`((${plain()}))`)).toEqual([is])
    expect(readStatements(`((${limited}))`)).toEqual([{ ...is, cutsRows: true }])
    expect(readStatements(`((${plain(limited)}))`)).toEqual([is])
    const behind = query(':rtable ({RANGETBLENTRY :eref {ALIAS}}) :limitCount {CONST}')
    expect(readStatements(`((${behind}))`)).toEqual([{ ...is, cutsRows: true }])
    expect(readStatements(`({CONST :commandType 1} ${plain()})`)).toEqual([is])
    expect(readStatements(`((${query(':limitCount <> :rowMarks ({ROWMARKCLAUSE :rti 1})')}))`)).toEqual([
      { ...is, locksRows: true },
    ])
    expect(readStatements(`((${plain()} ${plain().replace('1', '3')}))`)).toEqual([
      is,
      { ...is, isSelect: false },
    ])
  })

  it('is not misled by names: Postgres escapes what is special in them', () => {
    const tree = String.raw`(({QUERY :commandType 1 :eref {ALIAS :aliasname \{QUERY\ :limitCount\ \{} :limitCount <> :rowMarks <>}))`
    expect(readStatements(tree)).toEqual([{ isSelect: true, cutsRows: false, locksRows: false }])
  })
})

import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { UnreachableError } from '../../src/errors.ts'
import { alarmOf, Obstructed, obstacleOf } from '../../src/sync/obstacle.ts'

const database = (code: string, message = 'it is so') =>
  Object.assign(new pg.DatabaseError(message, 0, 'error'), { code })
const node = (code: string) => Object.assign(new Error('it broke'), { code })

describe('what stopped a batch', () => {
  test.each([
    ['what says so itself', new Obstructed({ scope: 'index', type: 't', reason: 'r' }), 'index', 't'],
    ['an Elasticsearch that does not answer', new UnreachableError('x'), 'elasticsearch', 'unreachable'],
    ['a connection to Postgres that broke', node('ECONNRESET'), 'postgres', 'unreachable'],
    ['a server that shuts down', database('57P01'), 'postgres', 'unreachable'],
    ['a server that is not up yet', database('57P03'), 'postgres', 'unreachable'],
    // All batches wait.
    ['a standby', database('25006'), 'postgres', 'sqlstate_25006'],
    ['a server that is not ready', database('55000'), 'postgres', 'sqlstate_55000'],
    ['a full disk', database('53100'), 'postgres', 'sqlstate_53100'],
    ['too many connections', database('53300'), 'postgres', 'unreachable'],
    ['no memory', database('53200'), 'postgres', 'sqlstate_53200'],
    // This document waits.
    ['a column that is gone', database('42703'), 'document', 'sqlstate_42703'],
    ['a lock that was not to be had', database('55P03'), 'document', 'sqlstate_55P03'],
    ['a slow query', database('57014'), 'document', 'sqlstate_57014'],
    ['an error of ours', new TypeError('x'), 'document', 'unexpected'],
    ['something else', 'x', 'document', 'unexpected'],
  ])('%s', (_, error, scope, type) => {
    expect(obstacleOf(error)).toMatchObject({ scope, type })
  })

  test('says why', () => {
    expect(obstacleOf(new UnreachableError('no answer')).reason).toBe('no answer')
    expect(obstacleOf(node('ECONNRESET')).reason).toBe('it broke')
    expect(obstacleOf(new TypeError('x is not')).reason).toBe('x is not')
    expect(obstacleOf(database('42703', 'column "x" does not exist')).reason).toBe(
      'column "x" does not exist',
    )
    // Not what a row holds.
    const value = database('22P02', 'invalid input syntax for type integer: "secret"')
    expect(obstacleOf(value).reason).toBe('invalid input syntax for type integer')
    expect(obstacleOf('plain').reason).toBe('plain')
    expect(new Obstructed({ scope: 'index', type: 't', reason: 'why' }).message).toBe('why')
  })
})

describe('an operator has to', () => {
  const alarm = (type: string, reason = 'why', scope: 'document' | 'postgres' = 'document') =>
    alarmOf({ scope, type, reason })

  test.each([
    ['sqlstate_42703', 'cannot be read: why. Something it is made of was dropped'],
    ['sqlstate_0A000', 'cannot be read: why. Something it is made of was dropped'],
    ['sqlstate_42501', 'cannot be read: why. Grant it to the role'],
  ])('mend what %s says', (type, text) => {
    expect(alarm(type)).toContain(text)
  })

  test('grant more than a grant where a policy hides rows', () => {
    const reason = 'query would be affected by row-level security policy for table "city"'
    expect(alarm('sqlstate_42501', reason)).toContain('BYPASSRLS')
    expect(alarm('sqlstate_42703', reason)).not.toContain('BYPASSRLS')
  })

  test('do nothing about what may pass, or is everybody’s', () => {
    expect(alarm('sqlstate_57014')).toBeNull()
    expect(alarm('unexpected')).toBeNull()
    expect(alarm('x sqlstate_42703')).toBeNull()
    expect(alarm('sqlstate_42703', 'why', 'postgres')).toBeNull()
  })
})

/** Applies a change, and returns how to undo it. */
export type Change = () => () => void

export function put<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): Change {
  return () => {
    const before = map.get(key)
    map.set(key, value)
    return () => {
      if (before === undefined) map.delete(key)
      else map.set(key, before)
    }
  }
}

export function remove<Key, Value>(map: Map<Key, Value>, key: Key): Change {
  return () => {
    const before = map.get(key)
    map.delete(key)
    return () => {
      if (before !== undefined) map.set(key, before)
    }
  }
}

/** A change that looks at what is there when it is applied. */
export function changes(all: () => readonly Change[]): Change {
  return () => {
    const undo = all().map((change) => change())
    return () => {
      for (const back of undo.reverse()) back()
    }
  }
}

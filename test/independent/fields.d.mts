/** What the independent fields offer; plain JavaScript on purpose. */
export interface Type { read(f: unknown): unknown; write(value: never): Buffer }
export declare function decode(type: Type, encoded: Buffer): unknown

/** What the independent pages offer; plain JavaScript on purpose. */
export declare function checkPage(root: Buffer, asked: Buffer, page: { readonly answered: number; readonly rows: number; readonly proof: Buffer }): { readonly answers: readonly unknown[]; readonly rest: Buffer }

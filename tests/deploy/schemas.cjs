// schemas.cjs - holds Kubernetes objects against their schemas.
//
// Reads {"name": [object, ...], ...} from standard input and writes {"name": ["fault", ...], ...}. Each object is judged
// twice: by the JSON schema made from Kubernetes' (or the Prometheus operator's) own definition, which knows formats and what is
// needed; and as a typed literal by the TypeScript compiler, which knows that a field does not exist. Runs in the folder
// that holds node_modules.
'use strict';
const fs = require('fs');
const path = require('path');
const ts = require(path.resolve('node_modules/typescript'));

const packages = { 'monitoring.coreos.com': '@kubernetes-models/prometheus-operator' };

function moduleOf(object) {
    const [group, version] = object.apiVersion.includes('/') ? object.apiVersion.split('/') : ['', object.apiVersion];
    return [packages[group] || 'kubernetes-models', group, version, object.kind].filter(Boolean).join('/');
}

function modelOf(object) {
    try {
        return require(path.resolve('node_modules', moduleOf(object)))[object.kind];
    } catch (error) {
        return undefined;
    }
}

const nameOf = (object) => `${object.kind} ${(object.metadata || {}).name}`;

function bySchema(object) {
    const Model = modelOf(object);
    if (!Model) return [`${nameOf(object)}: no schema for ${object.apiVersion}`];
    try {
        new Model(object).validate();
        return [];
    } catch (error) {
        return [`${nameOf(object)}: ${error.message}`];
    }
}

// One file for each name, so that a fault is that name's.
function byTypes(sets) {
    const files = new Map();
    for (const [name, objects] of Object.entries(sets)) {
        const lines = objects.filter(modelOf).map((object, i) =>
            `import type { I${object.kind} as T${i} } from "${moduleOf(object)}";\nexport const o${i}: T${i} = ${JSON.stringify(object)};`);
        files.set(path.resolve(`objects-${files.size}.ts`), { name, text: lines.join('\n') });
    }
    const options = { noEmit: true, strict: true, skipLibCheck: true, types: [], lib: ['lib.es2022.d.ts'],
        moduleResolution: ts.ModuleResolutionKind.Node10, module: ts.ModuleKind.CommonJS };
    const host = ts.createCompilerHost(options);
    const { getSourceFile, fileExists, readFile } = host;
    host.fileExists = (file) => files.has(file) || fileExists(file);
    host.readFile = (file) => (files.has(file) ? files.get(file).text : readFile(file));
    host.getSourceFile = (file, ...rest) => files.has(file)
        ? ts.createSourceFile(file, files.get(file).text, ts.ScriptTarget.ES2022) : getSourceFile(file, ...rest);
    const program = ts.createProgram([...files.keys()], options, host);
    return ts.getPreEmitDiagnostics(program).map((one) => ({
        name: one.file && files.has(one.file.fileName) ? files.get(one.file.fileName).name : undefined,
        fault: ts.flattenDiagnosticMessageText(one.messageText, ' '),
    }));
}

const sets = JSON.parse(fs.readFileSync(0, 'utf8'));
const faults = Object.fromEntries(Object.entries(sets).map(([name, objects]) => [name, objects.flatMap(bySchema)]));
for (const { name, fault } of byTypes(sets)) {
    if (name === undefined) throw new Error(fault);
    faults[name].push(fault);
}
process.stdout.write(JSON.stringify(faults));

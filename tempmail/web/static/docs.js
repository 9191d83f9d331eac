// Shows /openapi.json as a page. Builds elements and text nodes only, never markup from strings.
"use strict";

const METHODS = ["get", "head", "post", "put", "patch", "delete"];

function element(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Text with `code` in backquotes; blank lines part paragraphs.
function prose(text) {
  return (text || "").split(/\n{2,}/).filter(Boolean).map((paragraph) => {
    const parts = paragraph.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
    return element("p", {}, ...parts);
  });
}

function inline(text) {
  return (text || "").split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

class Viewer {
  constructor(description) {
    this.description = description;
  }

  resolve(schema) {
    const name = schema && schema.$ref ? schema.$ref.split("/").pop() : null;
    return name ? this.description.components.schemas[name] : schema || {};
  }

  // "string", "integer | null", "MailItem[]", …
  typeName(schema) {
    if (!schema) return "any";
    if (schema.$ref) return schema.$ref.split("/").pop();
    if (schema.anyOf) return schema.anyOf.map((one) => this.typeName(one)).join(" | ");
    if (schema.type === "array") return this.typeName(schema.items) + "[]";
    return [].concat(schema.type || "any").join(" | ");
  }

  limits(schema) {
    const notes = [];
    if (schema.minimum !== undefined) notes.push("≥ " + schema.minimum);
    if (schema.maximum !== undefined) notes.push("≤ " + schema.maximum);
    if (schema.default !== undefined && schema.default !== null && schema.default !== "") {
      notes.push("default " + JSON.stringify(schema.default));
    }
    return notes.join(", ");
  }

  // An example value; `depth` bounds schemas that hold themselves.
  example(schema, depth = 0) {
    const found = this.resolve(schema);
    if (found.examples && found.examples.length) return found.examples[0];
    if (depth > 6) return null;
    if (found.anyOf) return this.example(found.anyOf[0], depth + 1);
    if (found.type === "array") return [this.example(found.items, depth + 1)];
    if (found.type === "object") {
      const made = {};
      for (const [name, property] of Object.entries(found.properties || {})) {
        made[name] = this.example(property, depth + 1);
      }
      return made;
    }
    if (found.default !== undefined) return found.default;
    return { string: "", integer: 0, number: 0, boolean: true }[found.type] ?? null;
  }

  table(head, rows) {
    return element(
      "div",
      { class: "scroll" },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, ...head.map((title) => element("th", { scope: "col" }, title)))),
        element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, ...[].concat(cell))))))
      )
    );
  }

  fields(schema) {
    const found = this.resolve(schema.type === "array" ? schema.items : schema);
    const rows = Object.entries(found.properties || {}).map(([name, property]) => [
      element("code", {}, name),
      element("code", {}, this.typeName(property)),
      inline([property.description, this.limits(property)].filter(Boolean).join("; ")),
    ]);
    return rows.length ? [this.table(["Field", "Type", "Meaning"], rows)] : [];
  }

  json(value) {
    return element("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));
  }

  request(operation) {
    const content = operation.requestBody && operation.requestBody.content["application/json"];
    if (!content) return [];
    return [element("h4", {}, "Body"), ...this.fields(content.schema), this.json(this.example(content.schema))];
  }

  parameters(operation) {
    if (!operation.parameters) return [];
    const rows = operation.parameters.map((one) => [
      element("code", {}, one.name),
      one.in,
      element("code", {}, this.typeName(one.schema)),
      inline([one.description, this.limits(one.schema)].filter(Boolean).join("; ")),
    ]);
    return [element("h4", {}, "Parameters"), this.table(["Name", "In", "Type", "Meaning"], rows)];
  }

  success(operation) {
    const [media, content] = Object.entries(operation.responses["200"].content)[0];
    const title = element("h4", {}, "Answer ", element("span", { class: "soft" }, "200, " + media));
    if (media !== "application/json") return [title];
    return [title, ...this.fields(content.schema), this.json(this.example(content.schema))];
  }

  failures(operation) {
    const rows = [];
    for (const [status, response] of Object.entries(operation.responses)) {
      const examples = status === "200" ? {} : response.content["application/json"].examples || {};
      const texts = Object.values(examples).map((one) => one.value.error);
      if (texts.length) rows.push([status, texts.map((text) => element("div", {}, text))]);
    }
    return [element("h4", {}, "Errors"), this.table(["Status", "error"], rows)];
  }

  operation(path, method, operation) {
    return element(
      "article",
      { id: operation.operationId },
      element("h3", {}, element("span", { class: "method " + method }, method.toUpperCase()), " ", element("code", {}, path)),
      element("p", {}, element("strong", {}, operation.summary)),
      ...prose(operation.description),
      ...this.parameters(operation),
      ...this.request(operation),
      ...this.success(operation),
      ...this.failures(operation)
    );
  }

  byTag() {
    const groups = new Map(this.description.tags.map((tag) => [tag.name, []]));
    for (const [path, item] of Object.entries(this.description.paths)) {
      for (const method of METHODS) {
        if (item[method]) groups.get(item[method].tags[0]).push([path, method, item[method]]);
      }
    }
    return groups;
  }

  credentials() {
    const rows = Object.values(this.description.components.securitySchemes).map((scheme) => [
      scheme.type === "http" ? "Authorization: Bearer …" : scheme.name + " (" + scheme.in + ")",
      inline(scheme.description),
    ]);
    return [element("h2", {}, "Credentials"), this.table(["Where", "What"], rows)];
  }

  show(contents, main) {
    const info = this.description.info;
    contents.append(element("a", { href: "/" }, "tempmail"));
    main.replaceChildren(
      element("h1", {}, info.title + " API ", element("span", { class: "soft" }, info.version)),
      ...prose(info.description),
      ...this.credentials()
    );
    for (const [tag, operations] of this.byTag()) {
      const links = operations.map(([path, method, operation]) =>
        element(
          "li",
          {},
          element("a", { href: "#" + operation.operationId }, element("span", { class: "method " + method }, method.toUpperCase()), " " + path)
        )
      );
      contents.append(element("h2", {}, tag), element("ul", {}, ...links));
      main.append(element("h2", {}, tag), ...operations.map((one) => this.operation(...one)));
    }
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }
}

fetch("/openapi.json")
  .then((answer) => {
    if (!answer.ok) throw new Error("status " + answer.status);
    return answer.json();
  })
  .then((description) => {
    new Viewer(description).show(document.getElementById("contents"), document.getElementById("document"));
  })
  .catch((error) => {
    document.getElementById("document").replaceChildren(
      element("p", {}, "The API's description could not be shown (" + error.message + "). It is at "),
      element("a", { href: "/openapi.json" }, "/openapi.json")
    );
  });

// SPDX-License-Identifier: GPL-3.0-or-later
#version 330
in vec3 position;
in vec3 normal;
in float material;
uniform mat4 view;
out vec3 world;
out vec3 bent;
flat out int stuff;

void main() {
    world = position;
    bent = normal;
    stuff = int(material + 0.5);
    gl_Position = view * vec4(position, 1.0);
}

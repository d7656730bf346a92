import { Box, Center, chakra, Flex, HStack, Stack, Text } from "@chakra-ui/react";
import type { IconType } from "react-icons";
import { LuArrowDown, LuArrowRight, LuEye, LuLayers, LuTable, LuTags } from "react-icons/lu";
import { Link as RouterLink } from "react-router-dom";

import type { components } from "src/api/schema";
import { type Model, pageAddress } from "src/frame/models";

type Node = components["schemas"]["LineageNode"];
type Lineage = components["schemas"]["Lineage"];

const KINDS: Record<string, { icon: IconType; word: string }> = {
  fact: { icon: LuTable, word: "fact" },
  dimension: { icon: LuTags, word: "dimension" },
  aggregate: { icon: LuLayers, word: "aggregate" },
  view: { icon: LuEye, word: "stable view" },
};

const NodeLink = chakra(RouterLink);

const Item = ({ node, model }: { node: Node; model: Model }) => {
  const kind = KINDS[node.kind] ?? { icon: LuTable, word: node.kind };
  const Icon = kind.icon;
  return (
    <HStack as="li" fontSize="sm" gap={2} minW={0} title={`${kind.word} ${node.name}`}>
      <Box aria-hidden color="fg.muted" flexShrink={0}>
        <Icon />
      </Box>
      <Box minW={0} overflowWrap="anywhere">
        {node.definition_id == null ? (
          node.name
        ) : (
          <NodeLink
            color="fg.info"
            to={pageAddress("definitions", model, { definition: node.definition_id })}
            _hover={{ textDecoration: "underline" }}
          >
            {node.name}
          </NodeLink>
        )}{" "}
        <Text as="span" color="fg.muted" fontSize="xs" whiteSpace="nowrap">
          {kind.word}
        </Text>
      </Box>
    </HStack>
  );
};

const Side = ({ label, nodes, model, none }: SideProps) => (
  <Box borderRadius="md" borderWidth={1} flex={1} minW={0} p={3}>
    <Text color="fg.muted" fontSize="xs" mb={1}>
      {label}
    </Text>
    {nodes.length === 0 ? (
      <Text color="fg.muted" fontSize="sm">
        {none}
      </Text>
    ) : (
      <Stack aria-label={label} as="ul" gap={1} listStyleType="none" m={0} p={0}>
        {nodes.map((node) => (
          <Item key={`${node.kind} ${node.name}`} model={model} node={node} />
        ))}
      </Stack>
    )}
  </Box>
);

type SideProps = { label: string; nodes: Node[]; model: Model; none: string };

const Arrow = () => (
  <Center aria-hidden color="fg.muted">
    <Box display={{ base: "none", md: "block" }}>
      <LuArrowRight />
    </Box>
    <Box display={{ md: "none" }}>
      <LuArrowDown />
    </Box>
  </Center>
);

type Props = { name: string; lineage: Lineage; model: Model };

/** What a definition's tables are made from, and what is made from them. */
export const LineageFlow = ({ name, lineage, model }: Props) => (
  <Flex alignItems="stretch" direction={{ base: "column", md: "row" }} gap={2}>
    <Side label="Made from" model={model} nodes={lineage.sources} none="nothing known" />
    <Arrow />
    <Center
      bg="brand.subtle"
      borderColor="brand.emphasized"
      borderRadius="md"
      borderWidth={1}
      flex={{ md: "0 1 11rem" }}
      fontSize="sm"
      fontWeight="semibold"
      overflowWrap="anywhere"
      p={3}
      textAlign="center"
    >
      {name}
    </Center>
    <Arrow />
    <Side label="Goes into" model={model} nodes={lineage.targets} none="Nothing is made from it." />
  </Flex>
);

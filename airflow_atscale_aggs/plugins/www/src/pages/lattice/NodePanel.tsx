import { Badge, Box, Button, CloseButton, HStack, Stack, Text } from "@chakra-ui/react";
import { LuListTree } from "react-icons/lu";
import { Link as RouterLink } from "react-router-dom";

import { Sentence } from "src/components/Sentence";
import { StatusBadge } from "src/components/StatusBadge";
import { TimeText } from "src/components/TimeText";
import { type Model, pageAddress } from "src/frame/models";
import { formatCount, plural } from "src/utils/numbers";

import type { Kin, Lattice, LatticeNode } from "./lattice";

type Props = {
  lattice: Lattice;
  node: LatticeNode;
  kin: Kin;
  model: Model;
  /** Why it does not answer the query that was explained. */
  reason: string | undefined;
  onFocus: (id: string | null) => void;
};

type KinsProps = { label: string; nodes: LatticeNode[]; none: string; onFocus: (id: string) => void };

const Kins = ({ label, nodes, none, onFocus }: KinsProps) => (
  <Box>
    <Text color="fg.muted" fontSize="xs">
      {label}
    </Text>
    {nodes.length === 0 ? <Text fontSize="sm">{none}</Text> : null}
    <HStack columnGap={2} flexWrap="wrap" rowGap={0}>
      {nodes.map((node) => (
        <Button
          fontWeight="normal"
          height="1.75rem"
          key={node.id}
          maxW="100%"
          onClick={() => {
            onFocus(node.id);
          }}
          overflow="hidden"
          px={1}
          size="sm"
          textOverflow="ellipsis"
          variant="plain"
          _hover={{ textDecoration: "underline" }}
        >
          {node.name}
        </Button>
      ))}
    </HStack>
  </Box>
);

/** The node in focus: what it is, and what it has to do with others. */
export const NodePanel = ({ lattice, node, kin, model, reason, onFocus }: Props) => {
  const direct = (from: "source" | "target") => {
    const to = from === "source" ? "target" : "source";
    const ids = new Set(lattice.edges.filter((edge) => edge[from] === node.id).map((edge) => edge[to]));
    return lattice.nodes.filter((other) => ids.has(other.id));
  };
  const isFact = node.kind === "fact";
  return (
    <Stack aria-label={node.name} as="section" borderRadius="md" borderWidth={1} gap={3} p={3}>
      <HStack alignItems="flex-start" justifyContent="space-between">
        <Text fontWeight="semibold" overflowWrap="anywhere">
          {node.name}
        </Text>
        <CloseButton
          aria-label="Show all nodes alike"
          onClick={() => {
            onFocus(null);
          }}
          size="2xs"
        />
      </HStack>
      <HStack flexWrap="wrap" fontSize="sm" gap={2}>
        {isFact ? <Badge>fact</Badge> : <StatusBadge status={node.status} />}
        <span>{plural(node.rows, "row")}</span>
        {isFact ? null : <span>{plural(node.uses, "use")}</span>}
        {node.built_at === null ? null : (
          <Text as="span" color="fg.muted">
            built <TimeText isRelative value={node.built_at} />
          </Text>
        )}
      </HStack>
      {node.attributes.length === 0 ? null : (
        <HStack flexWrap="wrap" gap={1}>
          {node.attributes.map((name) => (
            <Badge fontWeight="normal" key={name} variant="surface">
              {name}
            </Badge>
          ))}
        </HStack>
      )}
      {reason === undefined ? null : (
        <Text borderColor="warning.solid" borderInlineStartWidth={3} fontSize="sm" ps={2}>
          It does not answer the query: <Sentence text={reason} />
        </Text>
      )}
      {isFact ? null : (
        <Kins
          label={`Derives from (${formatCount(kin.ancestors.size)} in all)`}
          nodes={direct("target")}
          none="nothing that is shown"
          onFocus={onFocus}
        />
      )}
      <Kins
        label={`Goes into (${formatCount(kin.descendants.size)} in all)`}
        nodes={direct("source")}
        none="nothing"
        onFocus={onFocus}
      />
      {isFact ? null : (
        <Button asChild alignSelf="flex-start" size="xs" variant="outline">
          <RouterLink to={pageAddress("definitions", model, { definition: node.id })}>
            <LuListTree aria-hidden /> Open the definition
          </RouterLink>
        </Button>
      )}
    </Stack>
  );
};

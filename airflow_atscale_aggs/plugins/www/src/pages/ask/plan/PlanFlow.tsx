import { Box, Center, chakra, Flex, HStack, Stack, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";
import type { IconType } from "react-icons";
import { LuArrowDown, LuArrowRight, LuLayers, LuRows3, LuTable, LuTags } from "react-icons/lu";
import { Link as RouterLink } from "react-router-dom";

import { TimeText } from "src/components/TimeText";
import { type Model, pageAddress } from "src/frame/models";
import { formatCount, formatShare } from "src/utils/numbers";

import { type Box as FlowBox, boxesOf, type FlowPart } from "./plan_flow";

const NodeLink = chakra(RouterLink);

const Arrow = () => (
  <Center aria-hidden color="fg.muted" flexShrink={0}>
    <Box hideBelow="md">
      <LuArrowRight />
    </Box>
    <Box hideFrom="md">
      <LuArrowDown />
    </Box>
  </Center>
);

type NodeProps = {
  icon: IconType;
  word: string;
  name: ReactNode;
  figure?: ReactNode;
  help?: ReactNode;
  /** Whether it is what the rows are read from. */
  isRead?: boolean;
  isDashed?: boolean;
};

const Node = ({ icon: Icon, word, name, figure, help, isRead = false, isDashed = false }: NodeProps) => (
  <Stack
    as="li"
    bg={isRead ? "brand.subtle" : isDashed ? "transparent" : "bg.panel"}
    borderColor={isRead ? "brand.emphasized" : "border"}
    borderRadius="md"
    borderStyle={isDashed ? "dashed" : "solid"}
    borderWidth={1}
    color={isDashed ? "fg.muted" : "fg"}
    flex={{ md: "0 1 15rem" }}
    gap={0.5}
    minW={{ base: 0, md: "9rem" }}
    px={3}
    py={2}
  >
    <HStack color="fg.muted" fontSize="xs" gap={1.5}>
      <Icon aria-hidden />
      {word}
    </HStack>
    <Text fontSize="sm" fontWeight="semibold" overflowWrap="anywhere">
      {name}
    </Text>
    {figure === undefined ? null : (
      <Text fontSize="sm" fontVariantNumeric="tabular-nums">
        {figure}
      </Text>
    )}
    {help === undefined ? null : (
      <Text color="fg.muted" fontSize="xs">
        {help}
      </Text>
    )}
  </Stack>
);

const rowsOf = (rows: number | null) =>
  rows === null ? "rows not known" : `${formatCount(rows)} ${rows === 1 ? "row" : "rows"}`;

const BoxNode = ({ box, model }: { box: FlowBox; model: Model }) => {
  if (box.kind === "fact") {
    return (
      <Node
        figure={rowsOf(box.rows)}
        help={box.isRead ? undefined : "not read"}
        icon={LuTable}
        isDashed={!box.isRead}
        isRead={box.isRead}
        name={box.name}
        word="Facts"
      />
    );
  }
  if (box.kind === "join") {
    return (
      <Node
        help="The aggregate stores their keys; their values come from the dimensions."
        icon={LuTags}
        name={box.names.join(", ")}
        word="Joined back"
      />
    );
  }
  return (
    <Node
      figure={
        box.share === null ? rowsOf(box.rows) : `${rowsOf(box.rows)}, ${formatShare(box.share)} of the facts`
      }
      help={
        box.asOf === null ? undefined : (
          <>
            as of <TimeText isRelative value={box.asOf} />
          </>
        )
      }
      icon={LuLayers}
      isRead
      name={
        box.definitionId === null ? (
          box.name
        ) : (
          <NodeLink
            _hover={{ textDecoration: "underline" }}
            color="fg.info"
            to={pageAddress("definitions", model, { definition: box.definitionId })}
          >
            {box.name}
          </NodeLink>
        )
      }
      word="Aggregate"
    />
  );
};

const keyOf = (box: FlowBox) => (box.kind === "join" ? "join" : `${box.kind} ${box.name}`);

type Props = {
  parts: readonly FlowPart[];
  model: Model;
  /** Rows of the answer; null: it was not run. */
  rows: number | null;
  /** Whether the answer has more rows than were read. */
  isCut?: boolean;
};

/** The way from facts to an answer, one line for each fact. */
export const PlanFlow = ({ parts, model, rows, isCut = false }: Props) => (
  <Flex
    align={{ base: "stretch", md: "center" }}
    aria-label="Where the rows come from"
    direction={{ base: "column", md: "row" }}
    gap={2}
    role="group"
  >
    <Stack flex={{ md: "0 1 auto" }} gap={3} minW={0}>
      {parts.map((part, number) => (
        <Flex
          align={{ base: "stretch", md: "center" }}
          as="ol"
          direction={{ base: "column", md: "row" }}
          gap={2}
          key={`${number} ${part.fact}`}
          listStyleType="none"
          m={0}
          p={0}
        >
          {boxesOf(part).flatMap((box, at) => [
            ...(at === 0 ? [] : [<Arrow key={`arrow ${keyOf(box)}`} />]),
            <BoxNode box={box} key={keyOf(box)} model={model} />,
          ])}
        </Flex>
      ))}
    </Stack>
    <Arrow />
    <Box as="ol" listStyleType="none" m={0} p={0}>
      <Node
        figure={rows === null ? undefined : `${isCut ? "more than " : ""}${rowsOf(rows)}`}
        icon={LuRows3}
        name={rows === null ? "not run" : "Answer"}
        word={rows === null ? "Answer" : parts.length > 1 ? "Put together" : "Grouped, sorted"}
      />
    </Box>
  </Flex>
);
